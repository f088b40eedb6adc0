// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import DetectionModel
import Detectors
import LinuxHost
import NetworkModel
import Testing

@testable import AgentCore

@Suite struct DetectionTests {
    private func read(_ text: String) throws -> DetectorConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(Array(("shield:\n  detectors:\n" + text).utf8), file: "agent.yaml")
        return configuration.shield.detectors
    }

    private func fault(_ text: String) -> String {
        do { return "read: \(try read(text))" } catch { return "\(error)" }
    }

    @Test func `detectors are switched off and tuned by name`() throws {
        let configuration = try read(
            """
                port-scan: {failedProbes: 12, slowest: 0.5}
                first-contact: off
                beacon: {}
                syn-flood: on
            """)
        #expect(configuration.off == ["first-contact"])
        #expect(configuration.thresholds["port-scan"] == ["failedProbes": 12, "slowest": 0.5])
        #expect(DetectorSet(configuration).names.contains("beacon"))
        #expect(!DetectorSet(configuration).names.contains("first-contact"))
    }

    @Test func `a detector or threshold that does not exist is refused with its place and those that do`() {
        #expect(fault("    prot-scan: off\n").contains("3:"))
        #expect(fault("    prot-scan: off\n").contains("there is no detector prot-scan; there are ack-flood"))
        #expect(fault("    port-scan: {probes: 3}\n").contains("has no threshold probes; it has failedProbes"))
        #expect(fault("    port-scan: {failedProbes: 0}\n").contains("allowed are 2.0 to"))
        #expect(fault("    port-scan: {failedProbes: many}\n").contains("a number belongs here"))
        #expect(fault("    port-scan: 3\n").contains("mapping"))
    }

    @Test func `what detectors find is handed on in order, and counted`() async {
        let log = FindingLog()
        let keeper = DetectionKeeper(DetectorConfiguration()) { await log.add($0) }
        let second: UInt64 = 1_000_000_000
        var flood = TargetActivity(
            target: IPAddress(v4: 0x0a00_0001), isInside: true, since: second, time: 2 * second, isWhole: true)
        (flood.syn, flood.packets, flood.topPort) = (30_000, 30_000, 443)
        let channel = ActivityChannel()
        channel.send([.target(flood)])
        channel.send([])
        channel.finish()
        await keeper.follow(channel)
        #expect(await log.findings.map(\.detector) == ["syn-flood"])
        let status = await keeper.status
        #expect(status.reports == 1 && status.findings == ["syn-flood": 1] && status.detectors.count >= 20)
        #expect(status.missed == 0)
    }

    @Test func `what detectors are too late for is counted, and they go on with the newest`() async {
        let keeper = DetectionKeeper(DetectorConfiguration()) { _ in }
        let channel = ActivityChannel(capacity: 2)
        for batch in 1...5 {
            channel.send((0..<batch).map { contact(0x0808_0808, at: 90_000 + UInt64(batch * 10 + $0)) })
        }
        channel.finish()
        await keeper.follow(channel)
        let status = await keeper.status
        #expect(status.reports == 9 && status.missed == 6)
    }

    /// A workload that opens a connection.
    private func contact(_ server: UInt32, at seconds: UInt64, sent: UInt64 = 100) -> Activity {
        let time = seconds * 1_000_000_000
        var pair = PairActivity(
            client: IPAddress(v4: 0x0a00_0005), server: IPAddress(v4: server), port: 443, ipProtocol: .tcp,
            isClientInside: true, isServerInside: false, since: time, time: time)
        (pair.connections, pair.bytesSent) = (1, sent)
        return .pair(pair)
    }

    @Test func `what was learnt of a workload outlives the agent, also where the clock begins anew`() async throws {
        let scratch = try Scratch()
        let store = LearntStore(path: "\(scratch.path)/detection.json")
        let log = FindingLog()
        let first = DetectionKeeper(DetectorConfiguration(), store: store) { await log.add($0) }
        for index in 0..<30 { await first.take([contact(0x0808_0808, at: 90_000 + UInt64(index) * 3600)]) }
        let channel = ActivityChannel()
        channel.finish()
        await first.follow(channel)
        #expect(await log.findings.isEmpty)
        let second = DetectionKeeper(DetectorConfiguration(), store: store) { await log.add($0) }
        #expect(await second.status.rememberedWorkloads == 1)
        // Known is known, and what is new and much is unusual at once.
        await second.take([contact(0x0808_0808, at: 20)])
        #expect(await log.findings.isEmpty)
        await second.take([contact(0x0101_0101, at: 30, sent: 50_000_000_000)])
        #expect(Set(await log.findings.map(\.detector)) == ["first-contact", "volume-out"])
    }

    /// A second in which so many datagrams that nobody answers reach a server.
    private func datagrams(_ count: UInt64, to host: UInt32, at seconds: UInt64) -> Activity {
        let begin = seconds * 1_000_000_000
        var target = TargetActivity(
            target: IPAddress(v4: host), isInside: true, since: begin, time: begin + 1_000_000_000, isWhole: true)
        (target.udp, target.packets, target.topPort) = (count, count, 514)
        return .target(target)
    }

    @Test func `what is usual at a target outlives the agent: neither a false alarm nor a new warm-up`() async throws {
        let scratch = try Scratch()
        let store = LearntStore(path: "\(scratch.path)/detection.json")
        let log = FindingLog()
        let (busy, quiet): (UInt32, UInt32) = (0x0a00_0050, 0x0a00_0051)
        let first = DetectionKeeper(DetectorConfiguration(), store: store) { await log.add($0) }
        for second in 0..<700 as Range<UInt64> {
            await first.take([
                datagrams(950 + second % 20, to: busy, at: 90_000 + second),
                datagrams(10, to: quiet, at: 90_000 + second),
            ])
        }
        let channel = ActivityChannel()
        channel.finish()
        await first.follow(channel)
        #expect(await log.findings.isEmpty)
        // The machine's clock begins anew.
        let second = DetectionKeeper(DetectorConfiguration(), store: store) { await log.add($0) }
        for index in 0..<20 as Range<UInt64> { await second.take([datagrams(1200, to: busy, at: 10 + index)]) }
        #expect(await log.findings.isEmpty, "more than the fixed limit, and usual")
        for index in 20..<26 as Range<UInt64> { await second.take([datagrams(700, to: quiet, at: 10 + index)]) }
        #expect(await log.findings.first?.target == IPAddress(v4: quiet), "less than the fixed limit, and not usual")
    }

    @Test func `a file of an agent that kept no rates of floods is read`() throws {
        let scratch = try Scratch()
        let store = LearntStore(path: "\(scratch.path)/detection.json")
        try AtomicFile.write(Array("{\"version\":1,\"learnt\":{\"peers\":[],\"volumes\":[]}}".utf8), to: store.path)
        #expect(try store.read()?.isEmpty == true)
        let broken =
            "{\"version\":1,\"learnt\":{\"peers\":[],\"volumes\":[],\"floods\":[{\"detector\":\"udp-flood\","
            + "\"target\":\"10.0.0.1\",\"mean\":-1,\"deviation\":0,\"windows\":9}]}}"
        try AtomicFile.write(Array(broken.utf8), to: store.path)
        #expect(throws: AgentError.self) { try store.read() }
    }

    @Test(arguments: ["{", "{\"version\":2}", "{\"version\":1,\"learnt\":{\"peers\":7}}"])
    func `a file that cannot be used is reported and ignored`(text: String) async throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/detection.json"
        try AtomicFile.write(Array(text.utf8), to: path)
        let keeper = DetectionKeeper(DetectorConfiguration(), store: LearntStore(path: path)) { _ in }
        let problem = await keeper.status.problem
        #expect(problem?.contains(path) == true && problem?.contains("they learn anew") == true, "\(problem ?? "")")
        await keeper.take([contact(0x0808_0808, at: 20)])
        #expect(await keeper.status.reports == 1)
    }
}

private actor FindingLog {
    private(set) var findings: [Finding] = []

    func add(_ more: [Finding]) { findings += more }
}
