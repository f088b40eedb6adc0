// SPDX-License-Identifier: Apache-2.0

/// Constructs that compile and still have no place here, each with what to write instead.
struct BannedConstruct: Sendable {
    let text: String
    let instead: String
    /// Where the ban holds.
    let applies: @Sendable (SourceFile) -> Bool
    /// Comments and strings are looked at too: shell and C files, and marks that live in comments.
    var inComments = false

    private static let everySwiftFile: @Sendable (SourceFile) -> Bool = { $0.hasSuffix(".swift") }
    private static let shippedSwift: @Sendable (SourceFile) -> Bool = {
        $0.isUnder("Sources") && $0.hasSuffix(".swift")
    }
    private static let testSwift: @Sendable (SourceFile) -> Bool = {
        $0.isUnder("Tests", "DatapathTests", "IntegrationTests") && $0.hasSuffix(".swift")
            && !$0.isUnder("Tests/TidyTests")
    }
    private static let kernelSource: @Sendable (SourceFile) -> Bool = { $0.isUnder("bpf") && $0.hasSuffix(".c", ".h") }
    private static let shellScript: @Sendable (SourceFile) -> Bool = { $0.isUnder("scripts", ".ci") }
    private static let anyText: @Sendable (SourceFile) -> Bool = { _ in true }

    /// Console renders for people, and an executable's folder (lower-case name) may report a failed start.
    private static let quietSwift: @Sendable (SourceFile) -> Bool = { file in
        guard shippedSwift(file), !file.isUnder("Sources/Console") else { return false }
        let target = file.path.split(separator: "/").dropFirst().first ?? ""
        return target.first?.isUppercase == true
    }

    /// Everything that ships but the clock itself and what writes times for people: log, API, the time in a flow.
    private static let shippedBesidesTexts: @Sendable (SourceFile) -> Bool = { file in
        shippedSwift(file)
            && ![
                "Sources/LinuxHost/HostClock.swift", "Sources/LinuxHost/Timestamp.swift",
                "Sources/AgentCore/Service/AgentLogHandler.swift", "Sources/AgentCore/Service/Agent.swift",
                // Nothing else tells the time that a reboot took.
                "Sources/AgentCore/Policies/ConfirmationDeadline.swift",
            ].contains(file.path)
    }

    // The marks are spelled in two halves so that this file does not find itself.
    static let all: [BannedConstruct] = [
        .init(text: "try!", instead: "throw, or return an error the caller can act on", applies: everySwiftFile),
        .init(text: "as!", instead: "use `as?` and handle the other case", applies: everySwiftFile),
        .init(text: "print(", instead: "log, or return text for Console to render", applies: quietSwift),
        .init(
            text: "fatalError(", instead: "throw; a precondition if only a programmer can cause it",
            applies: shippedSwift),
        .init(text: "usleep(", instead: "wait for the event itself, or Task.sleep", applies: everySwiftFile),
        .init(
            text: "wallNanoseconds(", instead: "the monotonic clock; the wall clock jumps and is for texts only",
            applies: shippedBesidesTexts),
        .init(
            text: "CLOCK_REALTIME", instead: "HostClock, which says which clock is for what",
            applies: { shippedSwift($0) && $0.path != "Sources/LinuxHost/HostClock.swift" }),
        .init(text: ".disabled", instead: "delete the test or make it pass", applies: everySwiftFile),
        .init(
            text: ".enabled", instead: "a test that cannot run here fails and says what is missing", applies: testSwift),
        .init(text: "ConditionTrait", instead: "a test runs, or it is deleted", applies: testSwift),
        .init(
            text: "withKnownIssue", instead: "mend the fault, or list it in KNOWN_ISSUES.md", applies: everySwiftFile),
        .init(
            text: "bpf_printk(", instead: "a counter or an event of bpf/abi", applies: kernelSource, inComments: true),
        .init(text: "pkill ", instead: "kill the process ids you started", applies: shellScript, inComments: true),
        .init(text: "killall ", instead: "kill the process ids you started", applies: shellScript, inComments: true),
        .init(
            text: "TO" + "DO", instead: "do it, or write it into KNOWN_ISSUES.md", applies: anyText, inComments: true),
        .init(
            text: "FIX" + "ME", instead: "mend it, or write it into KNOWN_ISSUES.md", applies: anyText, inComments: true
        ),
        .init(text: "XX" + "X", instead: "say what is meant", applies: anyText, inComments: true),
    ]

    static func findings(in repository: Repository) -> [Finding] {
        repository.files.flatMap { file -> [Finding] in
            let bans = all.filter { $0.applies(file) }
            guard bans.contains(where: { file.mentions($0.text) }) else { return [] }
            let code = file.hasSuffix(".swift") ? SwiftCode(file.text).lines : []
            return bans.flatMap { ban in
                (ban.inComments ? file.lines.map(String.init) : code).enumerated().compactMap { index, line in
                    guard line.containsWord(startingWith: ban.text) else { return nil }
                    return Finding(path: file.path, line: index + 1, message: "`\(ban.text)`: \(ban.instead)")
                }
            }
        }
    }
}

extension String {
    /// Whether `text` stands here as a word of its own: `debugPrint(` is not `print(`.
    func containsWord(startingWith text: String) -> Bool {
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            let before = self[..<range.lowerBound].last ?? " "
            let after = self[range.upperBound...].first ?? " "
            let beginsInside = text.first?.isLetter == true && (before.isLetter || before.isNumber || before == "_")
            let endsInside = text.last?.isLetter == true && after.isLetter
            if !beginsInside && !endsInside { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}
