// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BPFRuntime
import Glibc
import KernelPrograms
import ProgramVerification

/// `make verify`: what our programs cost the verifier of this kernel, and whether they work on it.
@main struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-verify",
        abstract: "Load every kernel program and print what the verifier says of it (root).")

    @Option(help: "File of limits; a program past its limit is a failure.")
    var ratchet: String?

    @Flag(help: "Also run traffic over clsact between two namespaces, which this makes.")
    var smoke = false

    func run() throws {
        var reports: [ProgramReport] = []
        print(ProgramReport.heading)
        for program in KernelProgram.all {
            do {
                let found = try verifyPrograms(of: program)
                for report in found { print(report.line) }
                reports += found
            } catch {
                let walk = error.log.split(separator: "\n").suffix(40)
                print(walk.joined(separator: "\n"))
                throw error
            }
        }
        if let ratchet {
            let text = try String(decoding: readFile(ratchet), as: UTF8.self)
            let violations = try Ratchet(parsing: text, file: ratchet).violations(of: reports)
            for violation in violations { print("ratchet: \(violation)") }
            guard violations.isEmpty else { throw ExitCode(1) }
        }
        if smoke {
            for line in try runSmokeTest() { print("smoke: \(line)") }
        }
        print("verify: \(reports.count) programs load\(smoke ? ", smoke test passed" : "")")
    }

    private func readFile(_ path: String) throws -> [UInt8] {
        guard let file = unsafe fopen(path, "r") else { throw ValidationError("cannot read \(path)") }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }
}
