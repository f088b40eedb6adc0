// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import Testing

@testable import AgentCore

@Suite struct ServicePartsTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000000000Z"),
        (951_782_399_000_000_001, "2000-02-28T23:59:59.000000001Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
        (1_795_225_003_500_000_000, "2026-11-21T01:36:43.500000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ])
    func `time stamps are RFC 3339 in UTC`(nanoseconds: Int64, text: String) {
        #expect(Timestamp.text(nanoseconds: nanoseconds) == text)
    }

    @Test func `a log line quotes what would break it`() {
        let pairs = [("file", "a b"), ("n", "1")]
        #expect(
            AgentLogHandler.line(.text, time: "T", level: "info", message: "hello", pairs: pairs)
                == "T info hello file=\"a b\" n=1")
        #expect(
            AgentLogHandler.line(.json, time: "T", level: "info", message: "a\"b\n\u{1}", pairs: pairs)
                == "{\"time\":\"T\",\"level\":\"info\",\"message\":\"a\\\"b\\n\\u0001\",\"file\":\"a b\",\"n\":\"1\"}")
        #expect(
            AgentLogHandler.line(
                .text, time: "T", level: "info", message: "m", pairs: [("subject", "\u{1b}[31mx\u{9b}")])
                == "T info m subject=\"\\u001b[31mx\\u009b\"")
    }

    @Test func `an atomic file is whole and leaves nothing beside it`() throws {
        let scratch = try Scratch()
        try AtomicFile.write(Array("one".utf8), to: "\(scratch.path)/state")
        try AtomicFile.write(Array("two".utf8), to: "\(scratch.path)/state")
        #expect(try readTextFile("\(scratch.path)/state") == "two")
        #expect(try directoryEntries(scratch.path) == ["state"])
    }

    @Test func `a failed write says which file and keeps the old one`() throws {
        let error = #expect(throws: HostError.self) { try AtomicFile.write([1], to: "/nonexistent/dir/state") }
        #expect(error?.description.contains("/nonexistent/dir/state") == true)
    }

    @Test func `a second agent is told who has the lock`() throws {
        let scratch = try Scratch()
        let first = try InstanceLock(path: "\(scratch.path)/lock")
        let error = #expect(throws: AgentError.self) { _ = try InstanceLock(path: "\(scratch.path)/lock") }
        #expect(error?.description.contains("pid \(getpid())") == true)
        _ = consume first
        _ = try InstanceLock(path: "\(scratch.path)/lock")
    }

    @Test func `group membership comes from the account files`() throws {
        let scratch = try Scratch()
        try AtomicFile.write(
            Array("root:x:0:\nops:x:77:ann,bob\n".utf8), to: "\(scratch.path)/group")
        try AtomicFile.write(
            Array("ann:x:1001:100::/:/bin/sh\ncid:x:1003:77::/:/bin/sh\n".utf8), to: "\(scratch.path)/passwd")
        let membership = GroupMembership(
            group: "ops", groupFile: "\(scratch.path)/group", passwordFile: "\(scratch.path)/passwd")
        #expect(membership.groupID == 77)
        #expect(membership.includes(userID: 1001, groupID: 100))
        #expect(membership.includes(userID: 1003, groupID: 77))
        #expect(!membership.includes(userID: 1002, groupID: 100))
        #expect(
            !GroupMembership(group: "none", groupFile: "/nonexistent", passwordFile: "/nonexistent")
                .includes(userID: 1001, groupID: 77))
    }

    @Test func `readiness reaches the manager's socket`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/notify"
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(receiver) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        ReadinessNotifier(socketPath: path).ready(status: "4 endpoints")
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(receiver, $0.baseAddress, $0.count, 0) }
        #expect(String(decoding: buffer.prefix(count), as: UTF8.self) == "READY=1\nSTATUS=4 endpoints")
    }
}
