// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import LocalHTTP

/// Reads a file, or every policy file of a directory in the order of names.
func readDocuments(_ path: String) throws -> [PolicyDocument] {
    guard let stream = unsafe opendir(path) else { return [try readDocument(path)] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
        names.append(
            unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            })
    }
    let files = names.filter { name in
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }
    guard !files.isEmpty else { throw ConsoleFailure(.refused, "no policy file (.yaml, .yml, .json) in \(path)") }
    return try files.sorted().map { try readDocument("\(path)/\($0)") }
}

/// Reads a policy file whole; `-` is standard input.
func readDocument(_ path: String) throws -> PolicyDocument {
    let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw ConsoleFailure(.refused, "cannot read \(path): \(errorText())")
    }
    defer { if descriptor != STDIN_FILENO { close(descriptor) } }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw ConsoleFailure(.refused, "cannot read \(path): \(errorText())") }
        if count == 0 { break }
        bytes += chunk[..<count]
        guard bytes.count <= LocalHTTPServer.Limits().bodyBytesMax else {
            let limit = LocalHTTPServer.Limits().bodyBytesMax >> 20
            throw ConsoleFailure(.refused, "\(path) is larger than \(limit) MiB: split it into several files")
        }
    }
    return PolicyDocument(name: path == "-" ? "<stdin>" : path, text: bytes)
}

private func errorText() -> String { unsafe String(cString: strerror(errno)) }
