// SPDX-License-Identifier: Apache-2.0

/// Assignments by optional chaining whose value is waited for.
///
/// The chain is opened for writing before the wait, and stays open: whoever else writes to it meanwhile ends the process
/// (or, where the compiler checks nothing, spoils its memory). Wait first, then assign.
enum AwaitedWrites {
    static func findings(in repository: Repository) -> [Finding] {
        repository.sources.flatMap { file -> [Finding] in
            guard file.hasSuffix(".swift"), file.mentions("await") else { return [] }
            return SwiftCode(file.text).lines.enumerated().compactMap { index, line in
                guard isAwaitedWrite(line) else { return nil }
                return Finding(
                    path: file.path, line: index + 1,
                    message: "`?. = await` keeps what it writes to open while it waits: wait first, then assign")
            }
        }
    }

    static func isAwaitedWrite(_ line: String) -> Bool {
        guard let sign = line.firstRange(of: " = ") ?? line.firstRange(of: " += ") else { return false }
        let target = line[..<sign.lowerBound].split(separator: "{").last ?? ""
        let isDeclared = target.contains("let ") || target.contains("var ")
        return target.contains("?.") && !isDeclared && line[sign.upperBound...].contains("await ")
    }
}
