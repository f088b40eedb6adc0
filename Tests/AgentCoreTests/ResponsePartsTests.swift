// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import NetworkModel
import Testing

@testable import AgentCore
@testable import KernelDatapath
@testable import LinuxHost

@Suite struct BlockStoreTests {
    private static let day: UInt64 = 86_400_000_000_000
    private let now: UInt64 = 20_000 * BlockStoreTests.day

    private func block(_ prefix: String, seconds: Int64, closesFailsafes: Bool = false) -> ShieldBlock? {
        CIDR(prefix).map {
            ShieldBlock(
                prefix: $0, remaining: .seconds(seconds), age: .zero, count: ShieldCount(), cause: "alert 1: \"x\"\n",
                closesFailsafes: closesFailsafes)
        }
    }

    @Test func `blocks come back with what is left of their time, and ended ones do not`() throws {
        let scratch = try Scratch()
        let store = BlockStore(path: scratch.path + "/blocks")
        #expect(store.read(now: now).isEmpty)
        try store.write(["192.0.2.1/32", "2001:db8::/64"].compactMap { block($0, seconds: 600) }, now: now)
        let rest = store.read(now: now + 100_000_000_000)
        #expect(rest.map { "\($0.prefix) \($0.seconds)" } == ["192.0.2.1/32 500", "2001:db8::/64 500"])
        #expect(rest.allSatisfy { !$0.closesFailsafes })
        try store.write([block("192.0.2.1/32", seconds: 60, closesFailsafes: true)].compactMap(\.self), now: now)
        #expect(store.read(now: now).map(\.closesFailsafes) == [true])
        #expect(rest.first?.cause == "alert 1: \"x\"\n")
        #expect(store.read(now: now + 600_000_000_000).isEmpty)
    }

    @Test func `a clock that is years behind makes no block longer`() throws {
        let scratch = try Scratch()
        let store = BlockStore(path: scratch.path + "/blocks")
        try store.write([block("192.0.2.1/32", seconds: 600)].compactMap(\.self), now: now)
        #expect(store.read(now: BlockStoreTests.day).map(\.seconds) == [600])
    }

    @Test func `a damaged line costs itself`() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/blocks"
        let store = BlockStore(path: path)
        try store.write(["192.0.2.1/32", "192.0.2.2/32"].compactMap { block($0, seconds: 60) }, now: now)
        try AtomicFile.write(Array("{nonsense\n".utf8) + readFile(path), to: path)
        #expect(store.read(now: now).count == 2)
    }
}

@Suite struct SessionWatchTests {
    private func connection(_ remote: String, _ port: UInt16, isInbound: Bool = true) throws -> OpenConnection {
        OpenConnection(
            local: try #require(IPAddress("198.51.100.1")), localPort: port, remote: try #require(IPAddress(remote)),
            remotePort: 50_000, isInbound: isInbound)
    }

    @Test func `who is let in and connected sits in a session, and nobody else`() throws {
        let environment = Array("LANG=C\0SSH_CONNECTION=203.0.113.22 50000 198.51.100.1 2222\0A=b\0".utf8)
        let claim = try #require(SessionWatch.claim(environment))
        #expect(SessionWatch.claim(Array("XSSH_CONNECTION=1.2.3.4 1 1.2.3.4 1\0".utf8)) == nil)
        let there = try connection("203.0.113.22", 2222)
        #expect(SessionWatch.clients([claim], [there]) == [claim.client])
        #expect(SessionWatch.clients([], [there]).isEmpty, "who only connects may be guessing")
        #expect(SessionWatch.clients([claim], []).isEmpty, "anybody may claim that")
        #expect(SessionWatch.clients([claim], [try connection("203.0.113.22", 22)]).isEmpty)
        #expect(SessionWatch.clients([claim], [try connection("203.0.113.22", 2222, isInbound: false)]).isEmpty)
    }
}

@Suite struct SynDemandTests {
    private let address = IPAddress(v4: 0xc633_6401)

    @Test func `a response has a port looked at where the defence is off, and nothing else then`() {
        let settings = SynKeeper.settings(SynSettings(), [SynDemand(address: address, port: 443)])
        #expect(settings.mode == .off && settings.ports == [443: .auto])
        var configured = SynSettings()
        configured.mode = .auto
        let auto = SynKeeper.settings(configured, [SynDemand(address: address, port: 443)])
        #expect(auto.mode == .auto && auto.ports.isEmpty, "listeners of other addresses stay with their load")
    }

    @Test func `many ports are all, but for those that the operator has off, and nothing is as configured`() {
        var configured = SynSettings()
        configured.ports = [25: .off]
        let all = SynKeeper.settings(configured, [SynDemand(address: address, port: 0)])
        #expect(all.mode == .auto && all.ports == [25: .off])
        #expect(SynKeeper.settings(configured, []).mode == .off)
        let off = SynKeeper.settings(configured, [SynDemand(address: address, port: 25)])
        #expect(off.ports[25] == .off)
    }
}
