// SPDX-License-Identifier: Apache-2.0
package import BPFRuntime
package import KernelPrograms

/// What one kernel program cost the verifier of the running kernel.
package struct ProgramReport: Hashable, Sendable {
    /// `object/program`.
    package var name: String
    /// Instructions that the verifier walked through.
    package var verifiedInstructions: Int
    /// Stack bytes of each function, the entry function first.
    package var stackDepths: [Int]

    package init(name: String, verifiedInstructions: Int, stackDepths: [Int]) {
        self.name = name
        self.verifiedInstructions = verifiedInstructions
        self.stackDepths = stackDepths
    }

    /// The verifier gives up after this many instructions (`BPF_COMPLEXITY_LIMIT_INSNS`).
    package static let instructionLimit = 1_000_000

    /// Share of the limit in per mille, rounded up.
    package var limitPerMille: Int { (verifiedInstructions * 1000 + Self.instructionLimit - 1) / Self.instructionLimit }

    /// The line of the table that `make verify` prints.
    package var line: String {
        let percentage = "\(limitPerMille / 10).\(limitPerMille % 10) %"
        let stack = stackDepths.max() ?? 0
        return pad(name, 34) + pad("\(verifiedInstructions)", 9, right: true) + pad(percentage, 9, right: true)
            + pad("\(stack) B", 9, right: true)
    }

    package static let heading =
        pad("program", 34) + pad("verified", 9, right: true) + pad("of limit", 9, right: true)
        + pad("stack", 9, right: true)
}

/// Loads every program of an object and reports what the verifier says of each; throws its complaint.
package func verifyPrograms(of program: KernelProgram) throws(BPFError) -> [ProgramReport] {
    let object = try BPFObject(program)
    let omitted = try object.omitUnsupportedPrograms()
    let statistics: [String: String]
    do throws(BPFError) {
        statistics = try object.loadCollectingStatistics()
    } catch {
        // Statistics come without the verifier's walk; load once more for the place where it stumbled.
        let again = try BPFObject(program)
        try again.omitUnsupportedPrograms()
        try again.load()
        throw error
    }
    var reports: [ProgramReport] = []
    for name in object.programNames where !omitted.contains(name) {
        let info = try object.program(name).info()
        let text = statistics[name] ?? ""
        // Kernels before 5.16 do not keep the number; the log has it everywhere.
        let walked = number(after: "processed ", in: text) ?? info.verifiedInstructionCount
        reports.append(
            ProgramReport(
                name: "\(program.name)/\(name)", verifiedInstructions: walked, stackDepths: stackDepths(in: text)))
    }
    return reports
}

/// The frames in the verifier's line `stack depth 176+0+24`.
func stackDepths(in log: String) -> [Int] {
    let line = log.split(separator: "\n").last { $0.hasPrefix("stack depth ") }
    return line?.dropFirst("stack depth ".count).split(separator: "+").compactMap { Int($0) } ?? []
}

/// The number that follows a word at the beginning of a line.
func number(after prefix: String, in log: String) -> Int? {
    let line = log.split(separator: "\n").last { $0.hasPrefix(prefix) }
    return line.flatMap { Int($0.dropFirst(prefix.count).prefix(while: \.isNumber)) }
}

func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
    let fill = String(repeating: " ", count: max(0, width - text.count))
    return right ? fill + text : text + fill
}
