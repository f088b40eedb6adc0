// SPDX-License-Identifier: Apache-2.0

/// What exists must be exercised: kernel programs by datapath tests, examples by any test.
enum Coverage {
    /// Names of the functions behind a program section, such as `tc_from_endpoint`.
    static func kernelPrograms(in file: SourceFile) -> [String] {
        let lines = file.lines
        return lines.enumerated().compactMap { index, line in
            guard line.hasPrefix("SEC(\""), !line.hasPrefix("SEC(\".maps"), !line.contains("license") else {
                return nil
            }
            let declaration = line.contains("int ") ? line : lines.dropFirst(index + 1).first ?? ""
            guard let keyword = declaration.firstRange(of: "int ") else { return nil }
            let name = declaration[keyword.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            return name.isEmpty ? nil : String(name)
        }
    }

    static func kernelProgramFindings(in repository: Repository) -> [Finding] {
        let tests = repository.tests.filter { $0.isUnder("DatapathTests", "Tests/KernelDatapathTests") }
        return repository.files.filter { $0.isUnder("bpf/programs") && $0.hasSuffix(".bpf.c") }.flatMap { file in
            kernelPrograms(in: file).filter { name in !tests.contains { $0.mentions(name) } }.map {
                Finding(path: file.path, line: 1, message: "\($0) is named in no test of DatapathTests")
            }
        }
    }

    /// A test names the file, or loads the whole folder by its path.
    static func exampleFindings(in repository: Repository) -> [Finding] {
        let tests = repository.tests.filter { !$0.isUnder("Tests/TidyTests") }
        return repository.files.filter { $0.isUnder("Examples") && $0.name != "README.md" }.compactMap { file in
            let folder = file.path.split(separator: "/").dropLast().joined(separator: "/")
            let isLoaded = tests.contains { $0.mentions(file.name) || $0.mentions("\"\(folder)\"") }
            return isLoaded ? nil : Finding(path: file.path, line: 1, message: "no test loads this example")
        }
    }
}
