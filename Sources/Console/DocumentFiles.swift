// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Glibc
import LocalHTTP
import PolicyModel

/// A file that is no document: it cannot be read, or is too large to be.
struct DocumentFault: Error {
    /// As the user named it.
    let file: String
    let code: DiagnosticCode
    let message: String
    let remedy: String?

    var diagnostic: Diagnostic {
        Diagnostic(
            severity: .error, code: code, location: SourceLocation(file: file, line: 1, column: 1), message: message,
            remedy: remedy)
    }
}

/// Reads a file, or every policy file of a directory in the order of names.
///
/// Throws the first `DocumentFault`.
func readDocuments(_ path: String) throws -> [PolicyDocument] { try readEachDocument(path).map { try $0.get() } }

/// The same, where one file that cannot be read does not hide the others.
func readEachDocument(_ path: String) -> [Result<PolicyDocument, DocumentFault>] {
    guard let stream = unsafe opendir(path) else { return [attempt(path)] }
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
    guard !files.isEmpty else {
        return [.failure(unreadable(path, "no policy file (.yaml, .yml, .json) in \(path)"))]
    }
    return files.sorted().map { attempt("\(path)/\($0)") }
}

private func attempt(_ path: String) -> Result<PolicyDocument, DocumentFault> {
    do {
        return .success(try readDocument(path))
    } catch {
        return .failure(error)
    }
}

/// Reads a policy file whole; `-` is standard input.
func readDocument(_ path: String) throws(DocumentFault) -> PolicyDocument {
    let descriptor = path == "-" ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        throw unreadable(path, "cannot read \(path): \(errorText())")
    }
    defer { if descriptor != STDIN_FILENO { close(descriptor) } }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw unreadable(path, "cannot read \(path): \(errorText())") }
        if count == 0 { break }
        bytes += chunk[..<count]
        guard bytes.count <= LocalHTTPServer.Limits().bodyBytesMax else {
            let limit = LocalHTTPServer.Limits().bodyBytesMax >> 20
            throw DocumentFault(
                file: path, code: .tooLarge, message: "\(path) is larger than \(limit) MiB",
                remedy: "split it into several files")
        }
    }
    return PolicyDocument(name: path == "-" ? "<stdin>" : path, text: bytes)
}

private func unreadable(_ path: String, _ message: String) -> DocumentFault {
    DocumentFault(file: path, code: .unreadable, message: message, remedy: nil)
}

private func errorText() -> String { unsafe String(cString: strerror(errno)) }
