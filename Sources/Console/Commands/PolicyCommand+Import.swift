// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI
import FirewallImport

extension PolicyCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Translate rules of another firewall into a policy.",
            subcommands: [IPTables.self])
    }

    struct IPTables: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "iptables",
            abstract: "Translate iptables-save, ip6tables-save or nft -j list ruleset; needs no agent.",
            discussion: """
                The rules for the host's own traffic (INPUT and OUTPUT of table filter, hooks input and output) become \
                one CiliumClusterwideNetworkPolicy on standard output, with the same verdicts for packets that open a \
                flow; comments name the source of each rule. What a policy cannot say is listed with its reason, as \
                comments and on standard error. Give the rules of both families in one command. Exit status 0 if \
                everything was mapped, 1 if something was not, 2 if a file cannot be read.
                """)

        @Argument(help: "Files; - for standard input.")
        var files: [String]

        @Option(help: "The policy's name.")
        var name = "imported-firewall"

        @Option(help: "4 or 6: the family of iptables rules whose first line does not say it.")
        var family: Int?

        @Option(help: "The device that the host endpoint judges; rules about others are not mapped.")
        var device: String?

        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard family.map([4, 6].contains) ?? true else { throw ValidationError("--family is 4 or 6") }
            let isName = name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            guard isName, (1...63).contains(name.utf8.count), name.first != "-", name.last != "-" else {
                throw ValidationError("--name is up to 63 lower-case letters, digits and hyphens")
            }
        }

        func run() async throws {
            let inputs: [FirewallImport.Input]
            do {
                inputs = try files.map { path in
                    let document = try readDocument(path)
                    return .init(name: document.name, bytes: document.text)
                }
            } catch {
                throw ConsoleFailure(.usage, ConsoleFailure(error).message)
            }
            let imported: FirewallImport
            do throws(ImportError) {
                imported = try FirewallImport(
                    inputs, options: .init(name: name, family: family, device: device))
            } catch {
                throw ConsoleFailure(.usage, "\(error)")
            }
            try show(imported)
        }

        private func show(_ imported: FirewallImport) throws {
            let report = ImportReport(imported)
            try output.show(report) { _ in imported.policy }
            for note in report.notMapped { printError("not mapped: \(note.source): \(note.rule): \(note.reason)") }
            if !report.notMapped.isEmpty { throw ConsoleFailure(.negative) }
        }
    }
}

/// What an import made of its files, for programs.
struct ImportReport: Codable {
    struct Note: Codable {
        /// `filter INPUT, rules.v4:12`.
        var source: String
        var rule: String
        var reason: String
    }

    /// The YAML document.
    var policy: String
    var notMapped: [Note]
    var understood: [Note]

    init(_ imported: FirewallImport) {
        let note = { (note: ImportNote) in Note(source: note.place.text, rule: note.rule, reason: note.reason) }
        policy = imported.policy.joined(separator: "\n") + "\n"
        notMapped = imported.notMapped.map(note)
        understood = imported.understood.map(note)
    }
}
