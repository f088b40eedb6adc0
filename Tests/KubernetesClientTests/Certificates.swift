// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Certificates of an authority of its own, in a folder that goes with it.
final class Certificates: Sendable {
    private struct Failed: Error { let output: String }

    let folder = "/tmp/bulkhead-certificates-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// `NAME.crt` or `NAME.key`.
    func path(_ file: String) -> String { "\(folder)/\(file)" }

    func authority(_ name: String) throws {
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=\(name)", "-keyout", path("\(name).key"), "-out", path("\(name).crt"),
        ])
    }

    /// - Parameters:
    ///   - alternative: `DNS:kubernetes`, `IP:127.0.0.1`.
    ///   - days: negative: it ended as long ago.
    func issue(_ name: String, by authority: String, alternative: String, days: Int = 2) throws {
        try openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/O=system:nodes/CN=\(name)",
            "-keyout", path("\(name).key"), "-out", path("\(name).csr"),
        ])
        try Data("subjectAltName=\(alternative)\n".utf8).write(to: URL(filePath: path("\(name).ext")))
        try openssl([
            "x509", "-req", "-in", path("\(name).csr"), "-CA", path("\(authority).crt"), "-CAkey",
            path("\(authority).key"), "-CAcreateserial", "-days", "\(days)", "-extfile", path("\(name).ext"), "-out",
            path("\(name).crt"),
        ])
    }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(output: output) }
    }
}
