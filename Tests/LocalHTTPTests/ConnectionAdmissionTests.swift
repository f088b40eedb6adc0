// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Testing

@testable import LocalHTTP

@Suite struct ConnectionAdmissionTests {
    private let start = ContinuousClock.now
    private var admission: ConnectionAdmission<Int>

    /// 12 connections, 4 of them reserved, 5 for each user.
    init() {
        var limits = LocalHTTPServer.Limits()
        limits.connectionsMax = 12
        limits.reservedForPrivileged = 4
        limits.perUserMax = 5
        admission = ConnectionAdmission(limits: limits)
    }

    private func connect(
        _ ids: ClosedRange<Int>, user: UInt32, after seconds: Int = 0, _ admission: inout ConnectionAdmission<Int>
    ) -> [Int] {
        ids.filter {
            admission.admit($0, userID: user, isPrivileged: user == 0, at: start + .seconds(seconds)).isAdmitted
        }
    }

    @Test func `one user has its share, all users theirs, root what is left`() {
        var admission = admission
        #expect(connect(1...9, user: 1000, &admission) == Array(1...5))
        #expect(connect(11...19, user: 1001, &admission) == Array(11...13))
        for id in 1...13 { admission.setAnswering(true, id, at: start) }
        #expect(connect(21...29, user: 0, &admission) == Array(21...24))
    }

    @Test func `root takes the place of who has waited longest, but of nobody who is being answered`() {
        var admission = admission
        _ = connect(1...5, user: 1000, &admission)
        _ = connect(11...13, user: 1001, &admission)
        _ = connect(21...24, user: 0, &admission)
        for id in [1, 11, 12, 13] { admission.setAnswering(true, id, at: start) }
        for id in 2...5 { admission.setAnswering(false, id, at: start + .milliseconds(10 * (6 - id))) }
        let first = admission.admit(30, userID: 0, isPrivileged: true, at: start)
        #expect(first.isAdmitted && first.evicted == [5])
        for id in 2...4 { admission.setAnswering(true, id, at: start) }
        let second = admission.admit(31, userID: 0, isPrivileged: true, at: start)
        #expect(!second.isAdmitted && second.evicted.isEmpty)
    }

    @Test func `where it is crowded who waits makes way after a second`() {
        var admission = admission
        _ = connect(1...5, user: 1000, &admission)
        _ = connect(11...13, user: 1001, &admission)
        #expect(!admission.admit(40, userID: 1002, isPrivileged: false, at: start + .milliseconds(999)).isAdmitted)
        let late = admission.admit(40, userID: 1002, isPrivileged: false, at: start + .seconds(1))
        #expect(late.isAdmitted && Set(late.evicted) == Set(Array(1...5) + Array(11...13)))
    }

    @Test func `a user whose share is used up loses its own that wait, not others'`() {
        var admission = admission
        _ = connect(1...1, user: 1001, &admission)
        _ = connect(11...15, user: 1000, &admission)
        admission.setAnswering(true, 11, at: start)
        // Six of eight places are taken: crowded, so the other user's idle connection makes way, too.
        #expect(admission.admit(20, userID: 1000, isPrivileged: false, at: start + .seconds(2)).evicted.count == 5)
        var roomy = ConnectionAdmission<Int>(limits: LocalHTTPServer.Limits())
        _ = connect(1...1, user: 1001, &roomy)
        _ = connect(11...26, user: 1000, &roomy)
        let again = roomy.admit(40, userID: 1000, isPrivileged: false, at: start + .seconds(2))
        #expect(again.isAdmitted && Set(again.evicted) == Set(11...26))
    }

    @Test(.timeLimit(.minutes(1))) func `idle connections of others do not keep root out`() async throws {
        let isRoot = Flag()
        var limits = LocalHTTPServer.Limits()
        limits.isPrivileged = { _ in isRoot.value.withLock { $0 } }
        let path = "/tmp/bulkhead-admission-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
        let server = try await LocalHTTPServer.bind(socketPath: path, limits: limits) { _ in .text(200, "here") }
        let serving = Task { try await server.run() }
        let idle = try (0..<100).map { _ in try RawConnection(path) }
        let client = LocalHTTPClient(socketPath: path, timeout: .seconds(5))
        await #expect(throws: LocalHTTPError.self) { try await client.request("GET", "/") }
        isRoot.value.withLock { $0 = true }
        #expect(try await client.request("GET", "/").status == 200)
        // And for the others there is room again soon.
        isRoot.value.withLock { $0 = false }
        try await Task.sleep(for: limits.crowdedTimeout)
        #expect(try await client.request("GET", "/").status == 200)
        withExtendedLifetime(idle) {}
        await server.shutDown(within: .milliseconds(200))
        try await serving.value
    }

    private final class Flag: Sendable {
        let value = Mutex(false)
    }
}
