// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LinuxHost

@Suite struct NetworkMonitorLoopTests {
    /// A source that plays a script: each step is what `receive` gives, or nil for a quiet moment.
    private final class Script: NetworkChangeSource {
        enum Step {
            case datagram(String)
            case failure(Int32)
            case quiet
        }
        private var steps: [Step]
        private(set) var snapshotsTaken = 0

        init(_ steps: [Step]) { self.steps = steps }

        func wait(milliseconds: Int32) throws(HostError) -> InputWait {
            guard let step = steps.first else { return .signalled }
            if case .quiet = step {
                steps.removeFirst()
                return .timedOut
            }
            return .readable
        }

        func receive() throws(HostError) -> [UInt8] {
            switch steps.removeFirst() {
            case .datagram(let text): return bytes(text)
            case .failure(let code): throw HostError("read from rtnetlink", code: code)
            case .quiet: return []
            }
        }

        func drain() {
            while case .datagram? = steps.first { steps.removeFirst() }
        }

        func snapshot() throws(HostError) -> NetworkSnapshot {
            snapshotsTaken += 1
            return NetworkSnapshot(links: [NetworkLink(index: Int32(snapshotsTaken), name: "s")])
        }
    }

    private let linkGone = """
        20 00 00 00 11 00 00 00 00 00 00 00 00 00 00 00  # RTM_DELLINK
        00 00 01 00 07 00 00 00 00 00 00 00 00 00 00 00  # index 7
        """
    private let leftBridge = """
        20 00 00 00 11 00 00 00 00 00 00 00 00 00 00 00  # RTM_DELLINK
        07 00 01 00 07 00 00 00 00 00 00 00 00 00 00 00  # AF_BRIDGE: the port left, the link stays
        """

    private func updates(_ steps: [Script.Step], accept: (Int) -> Bool = { _ in true }) -> [NetworkUpdate] {
        var updates: [NetworkUpdate] = []
        var count = 0
        NetworkMonitorLoop(source: Script(steps)).run { update in
            count += 1
            guard accept(count) else { return false }
            updates.append(update)
            return true
        }
        return updates
    }

    private func snapshot(_ number: Int32) -> NetworkUpdate {
        .snapshot(NetworkSnapshot(links: [NetworkLink(index: number, name: "s")]))
    }

    @Test func `the first update is a snapshot, then what changes, in batches`() {
        let seen = updates([.datagram(linkGone), .datagram(linkGone), .quiet, .datagram(linkGone), .quiet])
        let gone = NetworkChange.linkRemoved(index: 7)
        #expect(seen == [snapshot(1), .changes([gone, gone]), .changes([gone])])
    }

    @Test func `lost notifications lead to a new snapshot`() {
        #expect(updates([.failure(ENOBUFS)]) == [snapshot(1), snapshot(2)])
    }

    @Test func `what still waited when notifications were lost is older than the snapshot`() {
        let steps: [Script.Step] = [.failure(ENOBUFS), .datagram(linkGone), .quiet, .datagram(linkGone), .quiet]
        #expect(updates(steps) == [snapshot(1), snapshot(2), .changes([.linkRemoved(index: 7)])])
    }

    @Test func `a consumer without room gets a new snapshot instead of the lost changes`() {
        let seen = updates([.datagram(linkGone), .quiet, .quiet]) { $0 != 2 }
        #expect(seen == [snapshot(1), snapshot(2)])
    }

    @Test func `a port that leaves its bridge is no link that is gone`() {
        #expect(updates([.datagram(leftBridge), .quiet]) == [snapshot(1)])
    }

    @Test func `a socket that fails for good ends the loop`() {
        #expect(updates([.failure(EBADF), .datagram(linkGone)]) == [snapshot(1)])
    }

    @Test func `changes keep a snapshot up to date`() {
        var state = NetworkSnapshot()
        let link = NetworkLink(index: 7, name: "a")
        let renamed = NetworkLink(index: 7, name: "b")
        state.apply(.changes([.linkSet(link), .linkSet(renamed)]))
        #expect(state.links == [renamed])
        state.apply(.changes([.linkRemoved(index: 7)]))
        #expect(state == NetworkSnapshot())
    }
}
