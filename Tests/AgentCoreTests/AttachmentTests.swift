// SPDX-License-Identifier: Apache-2.0

import CNIHost
import CNIPlugin
import ControlAPI
import IdentityModel
import KernelDatapath
import Logging
import NetworkModel
import PolicyCompiler
import Synchronization
import Testing

@testable import AgentCore

@Suite struct AttachmentTests {
    /// Not the one of Testing.
    fileprivate typealias Kept = AgentCore.Attachment

    /// Knows interfaces by the path of the namespace: `/n/7` leads to interface 7.
    private final class FakeFinder: AttachmentFinding {
        let gone = Mutex<Set<UInt32>>([])

        func find(_ request: AttachmentRequest) async throws(APIError) -> Kept {
            guard let index = UInt32(request.namespacePath.dropFirst(3)) else { throw APIError(.refused, "no veth") }
            return Kept(
                request: request, host: .init(name: "veth\(index)", index: index),
                linkLocalAddresses: ["fe80::\(index)"])
        }

        func exists(_ host: Workload.Interface) -> Bool { gone.withLock { !$0.contains(host.index) } }
    }

    /// An agent without a kernel, with an attachment table of its own.
    private struct Bench {
        let scratch: Scratch
        let datapath = InMemoryDatapath()
        let finder = FakeFinder()
        let told = Told()
        let state: AgentState

        init(_ scratch: Scratch, sources: [String] = ["test"]) async throws {
            self.scratch = scratch
            let path = "\(scratch.path)/agent"
            var isKept = false
            state = try await AgentState.adopted(in: path, datapath, awaiting: sources) {
                isKept = $0.hasKeptAttachments
            }
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let keeper = AttachmentKeeper(
                table: try AttachmentTable(path: "\(path)/state/attachments.json"), finder: finder,
                listeners: [{ [told] attachment, isThere in told.note(attachment, isThere) }], logger: logger)
            await state.use(keeper)
            if isKept {
                _ = await keeper.prune()
                await state.seedAttachments()
                await state.takeAttachments()
            }
            await state.settle()
        }

        func report(_ workloads: [Workload]) async {
            await state.update(source: "test", workloads: workloads, state: "ok", location: "")
            await state.settle()
        }

        var endpoints: [UInt32: DatapathEndpoint] { datapath.withContent { $0.endpoints } }

        func isClosed(_ index: UInt32) -> Bool {
            guard let endpoint = endpoints[index] else { return false }
            let deny = datapath.withContent { $0.mapState?.subjects[endpoint.subject]?.defaultDeny }
            return endpoint.identity == .initializing && deny == [true, true]
        }
    }

    /// What a listener heard.
    private final class Told: Sendable {
        private let log = Mutex<[String]>([])

        func note(_ attachment: Kept, _ isThere: Bool) {
            log.withLock { $0.append("\(isThere ? "+" : "-")\(attachment.request.podUID ?? attachment.key)") }
        }

        var all: [String] { log.withLock { $0 } }
    }

    private static func request(
        _ container: String = "c1", index: UInt32 = 7, network: String = "podnet", isWorkload: Bool = false,
        waiting milliseconds: Int = 0
    ) -> AttachmentRequest {
        AttachmentRequest(
            containerID: container, interface: "eth0", namespacePath: "/n/\(index)", network: network,
            addresses: ["10.1.0.\(index)"], podNamespace: "shop", podName: "web-\(index)", podUID: "u\(index)",
            labels: ["app": "web", "bulkhead.dev/ports": "http=8080"], isWorkload: isWorkload,
            waitMilliseconds: milliseconds)
    }

    private static func workload(_ index: UInt32) -> Workload {
        Workload(
            key: "test:web", name: "web", source: "test",
            labels: LabelSet([
                Label(source: LabelSource.kubernetes, key: "app", value: "web"),
                Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
            ]), addresses: [IPAddress(v4: 0x0a01_0000 + index)],
            interfaces: [.init(name: "veth\(index)", index: index)])
    }

    @Test func `an attachment is closed at once, also while sources are silent`() async throws {
        let bench = try await Bench(try Scratch())
        let record = try await bench.state.attach(Self.request())
        await bench.state.settle()
        #expect([.closed, .pending].contains(record.state) && bench.isClosed(7))
        #expect(try await bench.state.attachment(Self.request().name).state == .closed)
        #expect(bench.told.all == ["+u7"])
    }

    @Test func `the call returns as soon as a source says who it is and that is in force`() async throws {
        let bench = try await Bench(try Scratch())
        let call = Task { [state = bench.state] in try await state.attach(Self.request(waiting: 60_000)) }
        while !bench.isClosed(7) { try await Task.sleep(for: .milliseconds(1)) }
        await bench.report([Self.workload(7)])
        let record = try await call.value
        #expect(record.state == .inForce && record.endpoint == "web" && record.source == "test")
        #expect(bench.endpoints[7]?.identity != .initializing)
        #expect(bench.datapath.withContent { $0.calls.filter { $0 == "detach 7" }.isEmpty }, "never without a program")
        await bench.report([])
        #expect(bench.isClosed(7), "nobody's again")
    }

    @Test func `an interface that a source knows already is in force at once`() async throws {
        let bench = try await Bench(try Scratch())
        await bench.report([Self.workload(7)])
        let record = try await bench.state.attach(Self.request(waiting: 60_000))
        #expect(record.state == .inForce && record.source == "test" && record.pod == "shop/web-7")
    }

    @Test func `time that is over is said, and it stays closed`() async throws {
        let bench = try await Bench(try Scratch())
        await bench.report([])
        _ = try await bench.state.attach(Self.request())
        await bench.state.settle()
        let record = try await bench.state.attach(Self.request(waiting: 50))
        #expect(record.state == .closed && record.message?.contains("test") == true && bench.isClosed(7))
    }

    @Test func `what nobody describes is a workload by itself`() async throws {
        let bench = try await Bench(try Scratch())
        let record = try await bench.state.attach(Self.request(isWorkload: true, waiting: 60_000))
        #expect(record.state == .inForce && record.source == "cni" && record.endpoint == "shop/web-7")
        let workload = try #require(await bench.state.workloads["cni:c1/eth0"])
        let labels = [
            "k8s:io.kubernetes.pod.name=web-7", "k8s:io.kubernetes.pod.namespace=shop", "workload:app=web",
        ]
        #expect(workload.labels.labels.map(\.description).sorted() == labels)
        #expect(workload.addresses == Set(["10.1.0.7", "fe80::7"].compactMap { IPAddress($0) }))
        #expect(workload.namedPorts.numbers.values.first == [8080])
        // Somebody knows more: then that counts.
        await bench.report([Self.workload(7)])
        #expect(try await bench.state.attachment(Self.request().name).source == "test")
    }

    @Test func `what fails to be attached is said without waiting`() async throws {
        let bench = try await Bench(try Scratch())
        bench.datapath.withContent { $0.attachError = .incomplete }
        let record = try await bench.state.attach(Self.request(waiting: 60_000))
        #expect(record.state == .failed && record.message != nil)
    }

    @Test func `what a runtime lets go stays closed until the interface is gone`() async throws {
        let bench = try await Bench(try Scratch())
        await bench.report([])
        _ = try await bench.state.attach(Self.request(isWorkload: true, waiting: 60_000))
        #expect(!bench.isClosed(7))
        #expect(try await bench.state.detach(Self.request().name).removed == [Self.request().name])
        await bench.state.settle()
        #expect(bench.isClosed(7))
        #expect(try await bench.state.detach(Self.request().name).removed.isEmpty, "again: nothing")
        await bench.state.pruneAttachments()
        #expect(try await bench.state.attachment(Self.request().name).state == .leaving)
        bench.finder.gone.withLock { _ = $0.insert(7) }
        await bench.state.pruneAttachments()
        await bench.state.settle()
        #expect(try await bench.state.attachments().isEmpty && bench.endpoints[7] == nil)
        #expect(bench.told.all == ["+u7", "-u7"])
    }

    @Test func `garbage is what is not listed, of the same network`() async throws {
        let bench = try await Bench(try Scratch())
        for (container, index, network) in [("a", 1, "x"), ("b", 2, "x"), ("c", 3, "y")] as [(String, UInt32, String)] {
            _ = try await bench.state.attach(Self.request(container, index: index, network: network))
        }
        let removed = try await bench.state.collect(
            AttachmentCollection(network: "x", valid: [AttachmentName(containerID: "a", interface: "eth0")]))
        #expect(removed.removed.map(\.containerID) == ["b"])
        #expect(try await bench.state.attachments().map(\.state).filter { $0 == .leaving }.count == 1)
    }

    @Test func `attachments outlive the agent`() async throws {
        let scratch = try Scratch()
        let first = try await Bench(scratch)
        _ = try await first.state.attach(Self.request())
        _ = try await first.state.attach(Self.request("c2", index: 8, isWorkload: true))
        await first.state.settle()
        let second = try await Bench(scratch, sources: ["test", Kept.source])
        #expect(second.isClosed(7) && second.endpoints[8] != nil && !second.isClosed(8))
        second.finder.gone.withLock { _ = $0.insert(7) }
        await second.state.pruneAttachments()
        #expect(try await second.state.attachments().map(\.containerID) == ["c2"])
    }

    @Test func `a new container on the same interface takes the place of the old one`() async throws {
        let bench = try await Bench(try Scratch())
        _ = try await bench.state.attach(Self.request("old"))
        _ = try await bench.state.attach(Self.request("new"))
        #expect(try await bench.state.attachments().map(\.containerID) == ["new"])
    }

    @Test func `nonsense is refused and changes nothing`() async throws {
        let bench = try await Bench(try Scratch())
        var wrong = [Self.request("../x"), Self.request(waiting: -1), Self.request(waiting: 1 << 40)]
        var odd = Self.request()
        odd.interface = "a/b"
        wrong.append(odd)
        odd = Self.request()
        odd.addresses = ["10.1.0.300"]
        wrong.append(odd)
        odd.addresses = []
        odd.namespacePath = "n/7"
        wrong.append(odd)
        odd.namespacePath = "/n/x"
        wrong.append(odd)
        for request in wrong {
            await #expect(throws: APIError.self) { try await bench.state.attach(request) }
        }
        #expect(try await bench.state.attachments().isEmpty && bench.endpoints.isEmpty)
    }

    @Test func `a namespace is found where the agent's container has it`() {
        #expect(AttachmentFinder.reachable("/var/run/netns/bulkhead-none") == "/run/netns/bulkhead-none")
        #expect(AttachmentFinder.reachable("/proc/1/ns/net") == "/proc/1/ns/net")
        #expect(AttachmentFinder.reachable("/var/lib/x") == "/var/lib/x")
    }

    @Test func `a damaged file stops the start, it is not taken for none`() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/attachments.json"
        try StateStorage.write(bytes: Array("{\"version\":1,".utf8), to: path)
        #expect(throws: AgentError.self) { try AttachmentTable(path: path) }
    }
}
