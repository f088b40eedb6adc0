// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation
import Glibc
import IdentityAllocation
import IdentityModel
import KernelDatapath
import Logging
import NetworkModel
import PolicyCompiler
import Testing

@testable import AgentCore
@testable import LinuxHost

@Suite struct AgentStateTests {
    /// An agent without a kernel, with directories of its own.
    private struct Bench {
        let scratch: Scratch
        let datapath: InMemoryDatapath
        let state: AgentState

        init(
            scratch: Scratch, datapath: InMemoryDatapath = InMemoryDatapath(), startClosed: [String] = [],
            log: (any LogHandler)? = nil
        ) async throws {
            self.scratch = scratch
            self.datapath = datapath
            var configuration = AgentConfiguration()
            configuration.policyDirectory = "\(scratch.path)/policies"
            configuration.stateDirectory = "\(scratch.path)/state"
            configuration.startClosed = startClosed
            try createDirectory(configuration.policyDirectory)
            try createDirectory(configuration.stateDirectory)
            let logger = Logger(label: "test") { _ in log ?? SwiftLogNoOpLogHandler() }
            state = try AgentState(
                configuration: configuration, datapath: datapath, aggregator: FlowAggregator(capacity: 8),
                logger: logger)
            await state.expect(sources: ["test"] + (startClosed.isEmpty ? [] : [NewcomerSource.name]))
            await state.adopt()
        }

        func update(_ workloads: [Workload]) async {
            await state.update(source: "test", workloads: workloads, state: "ok", location: "")
            await settle()
        }

        func settle() async { await state.settle() }

        func apply(_ text: String, force: Bool = false) async throws -> PolicyChangeReport {
            try await state.applyPolicies(
                PolicyDocument(name: "p.yaml", text: Array(text.utf8)), options: ChangeOptions(isForced: force))
        }

        /// Puts a file into the policy directory and says so.
        func write(_ text: String, to name: String) async {
            try? AtomicFile.write(Array(text.utf8), to: "\(scratch.path)/policies/\(name)")
            await state.update(policyDirectory: DirectoryChange(names: [name]))
        }

        func remove(_ name: String) async {
            unsafe unlink("\(scratch.path)/policies/\(name)")
            await state.update(policyDirectory: DirectoryChange(names: [name]))
        }

        var endpoints: [UInt32: DatapathEndpoint] { datapath.withContent { $0.endpoints } }

        var mapState: MapState { datapath.withContent { $0.mapState ?? MapState() } }
    }

    private static func workload(_ name: String, interface: UInt32, labels: [String: String]? = nil) -> Workload {
        let own = (labels ?? ["app": name]).map { Label(source: LabelSource.container, key: $0.key, value: $0.value) }
        let namespace = Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop")
        return Workload(
            key: "test:\(name)", name: name, source: "test", labels: LabelSet(own + [namespace]),
            addresses: [IPAddress(v4: 0x0a00_0000 + interface)],
            interfaces: [.init(name: "veth\(interface)", index: interface)])
    }

    private static func policy(_ name: String, from peer: String, port: Int = 6379) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: \(name), namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: db}}
          ingress:
            - fromEndpoints: [{matchLabels: {app: \(peer)}}]
              toPorts: [{ports: [{port: "\(port)", protocol: TCP}]}]

        """
    }

    private static func prefixPolicy(_ name: String, prefix: String, port: Int) -> String {
        """
        apiVersion: cilium.io/v2
        kind: CiliumNetworkPolicy
        metadata: {name: \(name), namespace: shop}
        spec:
          endpointSelector: {matchLabels: {app: db}}
          ingress:
            - fromCIDR: ["\(prefix)"]
              toPorts: [{ports: [{port: "\(port)", protocol: TCP}]}]

        """
    }

    @Test func `what appears on a watched bridge is closed until a source says whose it is`() async throws {
        let snapshot = NetworkSnapshot(links: [
            NetworkLink(index: 2, name: "podman0", kind: "bridge"),
            NetworkLink(index: 3, name: "other", kind: "bridge"),
            NetworkLink(index: 7, name: "veth7", kind: "veth", master: 2, peerIndex: 2, peerNamespaceID: 0),
            // Another bridge, a pair within the host, no veth.
            NetworkLink(index: 8, name: "veth8", kind: "veth", master: 3, peerIndex: 2, peerNamespaceID: 1),
            NetworkLink(index: 9, name: "veth9", kind: "veth", master: 2, peerIndex: 10),
            NetworkLink(index: 11, name: "eth0", master: 2),
        ])
        let newcomers = NewcomerSource.workloads(snapshot, bridges: ["podman0"])
        #expect(newcomers.map(\.name) == ["init:veth7"])
        let bench = try await Bench(scratch: try Scratch(), startClosed: ["podman0"])
        let name = NewcomerSource.name
        await bench.state.update(source: name, workloads: newcomers, state: "watching", location: "podman0")
        #expect(bench.endpoints.isEmpty, "a silent source may know it: it was there before the agent")
        await bench.update([])
        let closed = try #require(bench.endpoints[7])
        #expect(closed.identity == .initializing)
        #expect(bench.mapState.subjects[closed.subject]?.defaultDeny == [true, true])
        await bench.update([Self.workload("web", interface: 7)])
        let known = try #require(bench.endpoints[7])
        #expect(known.identity != .initializing)
        #expect(bench.mapState.subjects[known.subject]?.defaultDeny == [false, false])
        #expect(bench.datapath.withContent { $0.calls.filter { $0 == "detach 7" }.isEmpty }, "never without a program")
        await bench.update([])
        #expect(bench.endpoints[7]?.identity == .initializing)
    }

    private static let shop = [workload("web", interface: 2), workload("db", interface: 3)]

    @Test func `policy is in the tables before the first program is attached`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        _ = try await bench.apply(Self.policy("db", from: "web"))
        await bench.update(Self.shop)
        let calls = bench.datapath.withContent { $0.calls }
        let attach = try #require(calls.firstIndex(of: "attach 2"))
        #expect(calls[..<attach].last { $0 == "commit" || $0 == "replace" } == "commit")
        let endpoint = try #require(bench.endpoints[3])
        #expect(bench.mapState.subjects[endpoint.subject]?.defaultDeny == [false, true])
        #expect(bench.mapState.policy.count == 2)
    }

    @Test func `status names what the kernel lacks and has, and counts flows when it is asked`() async throws {
        let datapath = InMemoryDatapath()
        datapath.withContent {
            $0.support = KernelSupport(
                available: ["membarrier"], gaps: [.init(feature: "tcx", reason: "too old", cost: "others")])
        }
        let bench = try await Bench(scratch: try Scratch(), datapath: datapath)
        let report = try await bench.state.status()
        #expect(report.kernel.available == ["membarrier"])
        #expect(report.kernel.missing == [MissingFeature(feature: "tcx", reason: "too old", cost: "others")])
        #expect(report.state.conntrackEntries == 0)
    }

    @Test func `counting flows takes a twentieth of the time at the most`() {
        let now = ContinuousClock.now
        #expect(ConntrackTally().isDue(at: now))
        let tally = ConntrackTally(entries: 1, countedAt: now, cost: .milliseconds(100))
        #expect(!tally.isDue(at: now + .seconds(2)))
        #expect(tally.isDue(at: now + .milliseconds(2001)))
    }

    @Test func `programs are put on beside, and a change need not wait for them`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        bench.datapath.withContent { $0.areProgramsHeld = true }
        let crowd = (0..<40).map { Self.workload("w\($0)", interface: UInt32(100 + $0), labels: ["app": "db"]) }
        await bench.state.update(source: "test", workloads: crowd, state: "ok", location: "")
        _ = try await bench.apply(Self.policy("db", from: "web"))
        #expect(bench.endpoints.isEmpty)
        #expect(!bench.mapState.policy.isEmpty, "in force while all wait")
        // What goes while it waits is never attached; what goes while it is being attached is taken off again.
        let rest = Array(crowd[1...].dropLast())
        await bench.state.update(source: "test", workloads: rest, state: "ok", location: "")
        bench.datapath.withContent { $0.areProgramsHeld = false }
        await bench.settle()
        #expect(Set(bench.endpoints.keys) == Set(101..<139))
        let calls = bench.datapath.withContent(\.calls)
        #expect(calls.contains("attach 100") && calls.contains("detach 100") && !calls.contains("attach 139"))
        let subjects = Set(bench.endpoints.values.map(\.subject))
        #expect(subjects.allSatisfy { bench.mapState.subjects[$0] != nil })
    }

    @Test func `an interface that refuses is named, and tried again`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        bench.datapath.withContent { $0.attachError = .incomplete }
        await bench.update([Self.workload("db", interface: 7)])
        #expect(bench.endpoints.isEmpty)
        #expect(await bench.state.endpointProblems.count == 1)
        await bench.state.retryEndpoints()
        await bench.settle()
        #expect(await bench.state.endpointProblems.count == 1, "it still refuses")
        bench.datapath.withContent { $0.attachError = nil }
        await bench.state.retryEndpoints()
        await bench.settle()
        #expect(Set(bench.endpoints.keys) == [7])
        #expect(await bench.state.endpointProblems.isEmpty)
    }

    @Test func `what comes back while it is being taken off is put on again`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update([Self.workload("db", interface: 7)])
        bench.datapath.withContent { $0.areProgramsHeld = true }
        await bench.state.update(source: "test", workloads: [], state: "ok", location: "")
        #expect(await bench.state.endpointStep == .detach(7))
        let again = [Self.workload("db", interface: 7)]
        await bench.state.update(source: "test", workloads: again, state: "ok", location: "")
        bench.datapath.withContent { $0.areProgramsHeld = false }
        await bench.settle()
        #expect(Set(bench.endpoints.keys) == [7])
        #expect(await bench.state.attachments.keys.sorted() == [7])
        #expect(bench.datapath.withContent(\.calls).suffix(2) == ["detach 7", "attach 7"])
    }

    @Test func `a refused commit leaves tables, endpoints and policies as they were`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        _ = try await bench.apply(Self.policy("db", from: "web"))
        let before = bench.mapState
        bench.datapath.withContent { $0.nextError = .incomplete }
        let error = await #expect(throws: APIError.self) {
            try await bench.apply(Self.policy("db", from: "cache") + "---\n" + Self.policy("second", from: "x"))
        }
        #expect(error?.code == .commitFailed)
        #expect(bench.mapState == before)
        #expect(try await bench.state.policies().map(\.name) == ["db"])
        // The next change starts from what is in force: nothing of the refused one comes along.
        _ = try await bench.apply(Self.policy("third", from: "web", port: 80))
        let texts = bench.mapState.lines()
        #expect(!texts.contains { $0.contains("second") })
        #expect(texts.contains { $0.contains("third") })
    }

    @Test func `a restart finds numbers, workloads and policies again`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let first = try await Bench(scratch: scratch, datapath: datapath)
        await first.update([Self.workload("zeta", interface: 9)] + Self.shop)
        await first.update(Self.shop)
        _ = try await first.apply(Self.policy("db", from: "web"))
        let (endpoints, lines) = (first.endpoints, first.mapState.lines())
        let second = try await Bench(scratch: scratch, datapath: datapath)
        #expect(second.endpoints == endpoints)
        #expect(second.mapState.lines() == lines)
        #expect(try await second.state.policies().map(\.origin) == ["api"])
    }

    @Test func `what no source names is detached only when all have reported`() async throws {
        let datapath = InMemoryDatapath()
        datapath.withContent {
            $0.endpoints[77] = DatapathEndpoint(
                interface: 77, number: 9, subject: 9, identity: .unmanaged, addresses: [])
        }
        let bench = try await Bench(scratch: try Scratch(), datapath: datapath)
        #expect(bench.endpoints[77] != nil)
        await bench.update([])
        #expect(bench.endpoints[77] == nil)
    }

    @Test func `a hidden link stays enforced over a restart, until the host has it no more`() async throws {
        func network(_ indexes: Int32...) -> HostNetwork {
            HostNetwork(NetworkSnapshot(links: indexes.map { NetworkLink(index: $0, name: "veth\($0)", kind: "veth") }))
        }
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let first = try await Bench(scratch: scratch, datapath: datapath)
        var web = Self.workload("web", interface: 2)
        (web.place, web.readAddresses) = ("/run/netns/web", web.addresses)
        var hidden = web
        (hidden.interfaces, hidden.addresses, hidden.readAddresses) = ([], [], [])
        hidden.problem = "no veth leads to this host"
        await first.state.update(network: network(2))
        await first.update([web])
        let enforced = try #require(first.endpoints[2])
        await first.update([hidden])
        #expect(first.endpoints == [2: enforced])
        let status = try await first.state.status()
        #expect(status.condition == .degraded && status.problems.map(\.subject) == ["endpoint web"])
        #expect(try await first.state.endpoint("web").condition == .enforced)
        let second = try await Bench(scratch: scratch, datapath: datapath)
        await second.state.update(network: network(2))
        await second.update([hidden])
        #expect(second.endpoints == [2: enforced])
        await second.state.update(network: network(3))
        await second.settle()
        #expect(second.endpoints.isEmpty)
        #expect(try await second.state.status().condition == .ready)
    }

    @Test func `an address keeps its first owner over a restart`() async throws {
        let scratch = try Scratch()
        let first = try await Bench(scratch: scratch)
        func claiming(_ name: String, _ interface: UInt32) -> Workload {
            var workload = Self.workload(name, interface: interface)
            workload.readAddresses = [IPAddress(v4: 0x0a00_0063)]
            workload.addresses.formUnion(workload.readAddresses)
            return workload
        }
        await first.update([claiming("web", 2)])
        let second = try await Bench(scratch: scratch)
        await second.update([claiming("db", 3), claiming("web", 2)])
        #expect(second.endpoints[2]?.addresses.contains(IPAddress(v4: 0x0a00_0063)) == true)
        #expect(second.endpoints[3]?.addresses == [IPAddress(v4: 0x0a00_0003)])
        #expect(try await second.state.endpoint("db").problem == "refused address 10.0.0.99: it is web's")
    }

    @Test func `changed labels move an endpoint to another subject and the old one goes afterwards`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        let old = try #require(bench.endpoints[3]?.subject)
        await bench.update([Self.shop[0], Self.workload("db", interface: 3, labels: ["app": "other"])])
        let new = try #require(bench.endpoints[3]?.subject)
        #expect(new != old)
        #expect(bench.mapState.subjects[old] != nil && bench.mapState.subjects[new] != nil)
        // Both subjects in the tables, then the record, then the old subject out.
        #expect(bench.datapath.withContent { $0.calls }.suffix(2) == ["commit", "attach 3"])
        await bench.state.dropFormerSubjects()
        #expect(bench.mapState.subjects[old] == nil && bench.mapState.subjects[new] != nil)
        #expect(bench.datapath.withContent { $0.calls }.suffix(3) == ["commit", "attach 3", "commit"])
        let count = bench.datapath.withContent { $0.calls }.count
        // Or the next change takes it along.
        await bench.update(Self.shop)
        await bench.update([Self.shop[0], Self.workload("db", interface: 3, labels: ["app": "third"])])
        #expect(bench.mapState.subjects[new] == nil)
        #expect(bench.datapath.withContent { $0.calls }.count == count + 4)
    }

    @Test func `equal labels share a subject and an identity, equal names are told apart`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        var twin = Self.workload("web", interface: 5)
        twin.key = "test:other"
        await bench.update([Self.shop[0], twin])
        #expect(bench.endpoints[2]?.subject == bench.endpoints[5]?.subject)
        #expect(bench.endpoints[2]?.identity == bench.endpoints[5]?.identity)
        #expect(bench.endpoints[2]?.number != bench.endpoints[5]?.number)
        #expect(Set(try await bench.state.endpoints().map(\.name)) == ["web", "test/web"])
    }

    @Test func `a broken file keeps what it held and is named in status until it is right`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        let file = "\(bench.scratch.path)/policies/db.yaml"
        try AtomicFile.write(Array(Self.policy("db", from: "web").utf8), to: file)
        await bench.state.update(policyDirectory: DirectoryChange(isComplete: false))
        let good = bench.mapState
        #expect(good.policy.count == 2)
        try AtomicFile.write(Array("kind: CiliumNetworkPolicy\nspec: {".utf8), to: file)
        await bench.state.update(policyDirectory: DirectoryChange(isComplete: false))
        #expect(bench.mapState == good)
        let status = try await bench.state.status()
        #expect(status.condition == .degraded)
        #expect(status.problems.first?.message.contains("db.yaml:") == true)
        try AtomicFile.write(Array(Self.policy("db", from: "cache").utf8), to: file)
        await bench.state.update(policyDirectory: DirectoryChange(isComplete: false))
        #expect(try await bench.state.status().condition == .ready)
        #expect(bench.mapState != good)
    }

    @Test func `the log hears once of a policy file that became wrong, and once that it is right`() async throws {
        let log = RecordingLog()
        let bench = try await Bench(scratch: try Scratch(), log: log)
        await bench.write("kind: CiliumNetworkPolicy\nspec: {", to: "db.yaml")
        await bench.write(Self.policy("web", from: "db"), to: "web.yaml")
        await bench.write(Self.policy("db", from: "web"), to: "db.yaml")
        let lines = log.seen.filter { $0.contains("db.yaml") }
        #expect(lines.count == 2, "\(lines)")
        #expect(
            lines.first?.hasPrefix("error policy file has errors") == true && lines.first?.contains("BH1003") == true)
        #expect(lines.last?.hasPrefix("notice resolved") == true)
    }

    @Test func `a port name that no workload has is named in status and in the policy, and goes once one has it`()
        async throws
    {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        _ = try await bench.apply(
            """
            apiVersion: cilium.io/v2
            kind: CiliumNetworkPolicy
            metadata: {name: out, namespace: shop}
            spec:
              endpointSelector: {matchLabels: {app: web}}
              egress: [{toEntities: [all]}]
              egressDeny: [{toPorts: [{ports: [{port: http, protocol: TCP}]}]}]
            """)
        func explain(_ port: UInt16) async throws -> String {
            try await bench.state.explain(ExplainRequest(from: "web", to: "db", port: port, protocol: "tcp")).verdict
        }
        let status = try await bench.state.status()
        #expect(status.condition == .ready && status.warnings.map(\.code) == ["BH2103"])
        #expect(try await bench.state.policy("out").warnings?.map(\.code) == ["BH2103"])
        #expect(try await explain(8080) == "allow")
        var db = Self.shop[1]
        db.namedPorts = NamedPorts([NamedPort(proto: .tcp, name: "http"): [8080]])
        await bench.update([Self.shop[0], db])
        #expect(try await bench.state.status().warnings.isEmpty)
        #expect(try await explain(8080) == "deny")
        #expect(try await explain(8081) == "allow")
        #expect(bench.mapState.lines().contains { $0.contains("tcp/8080 -> deny") })
    }

    @Test func `a change of one file writes what it changes and nothing else`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        await bench.write(Self.policy("db", from: "web") + "---\n" + Self.policy("other", from: "x"), to: "1.yaml")
        await bench.write(Self.policy("more", from: "web", port: 80), to: "2.yaml")
        let before = bench.mapState
        await bench.write(
            Self.policy("db", from: "web", port: 6380) + "---\n" + Self.policy("other", from: "x"), to: "1.yaml")
        let changes = before.changes(to: bench.mapState)
        #expect(changes.policyRemovals.count == 1 && changes.policySettings.count == 1)
        let committed = try #require(bench.datapath.withContent { $0.lastChanges })
        #expect(committed.policySettings == changes.policySettings)
        #expect(committed.policyRemovals == changes.policyRemovals)
        #expect(committed.mappingSettings.isEmpty && committed.ruleSettings.count <= 1)
        // Read again without a difference: no commit.
        let calls = bench.datapath.withContent { $0.calls.count }
        await bench.state.update(policyDirectory: DirectoryChange(isComplete: false))
        #expect(bench.datapath.withContent { $0.calls.count } == calls)
    }

    @Test func `a file whose change was refused comes into force with the next change`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        await bench.write(Self.policy("db", from: "web"), to: "1.yaml")
        let before = bench.mapState
        bench.datapath.withContent { $0.nextError = .incomplete }
        await bench.write(Self.policy("db", from: "web", port: 6380), to: "1.yaml")
        #expect(bench.mapState == before)
        #expect(try await bench.state.status().problems.map(\.subject) == ["commit"])
        await bench.write(Self.policy("second", from: "web", port: 80), to: "2.yaml")
        #expect(try await bench.state.status().condition == .ready)
        let texts = bench.mapState.lines()
        for port in ["tcp/6380", "tcp/80"] { #expect(texts.contains { $0.contains(port) }) }
        #expect(!texts.contains { $0.contains("tcp/6379") })
    }

    @Test func `a new policy adds a line to the number log, and a restart takes the log over`() async throws {
        let scratch = try Scratch()
        let first = try await Bench(scratch: scratch)
        await first.update(Self.shop)
        let files = ["rules.json", "identities.json", "state.json"].map { "\(scratch.path)/state/\($0)" }
        let before = files.map { try? readFile($0) }
        let linesBefore = try readTextFile("\(scratch.path)/state/numbers.log").split(separator: "\n").count
        for number in 1...3 {
            await first.write(
                Self.prefixPolicy("p\(number)", prefix: "192.0.2.\(number)/32", port: number), to: "\(number).yaml")
        }
        #expect(files.map { try? readFile($0) } == before)
        let log = try readTextFile("\(scratch.path)/state/numbers.log")
        #expect(log.split(separator: "\n").count == linesBefore + 3)
        // A crash while the next line was written.
        try AtomicFile.append(
            Array("{\"identities\":".utf8), to: "\(scratch.path)/state/numbers.log", at: log.utf8.count)
        let second = try await Bench(scratch: scratch)
        #expect(second.mapState.lines() == first.mapState.lines())
        #expect(throws: HostError.self) { try readFile("\(scratch.path)/state/numbers.log") }
        // Numbers of what is gone stay its own.
        await second.remove("1.yaml")
        await second.write(Self.prefixPolicy("p4", prefix: "192.0.2.4/32", port: 4), to: "4.yaml")
        let third = try await Bench(scratch: scratch)
        await third.write(Self.prefixPolicy("p1", prefix: "192.0.2.1/32", port: 1), to: "1.yaml")
        await third.remove("4.yaml")
        #expect(third.mapState.lines() == first.mapState.lines())
    }

    @Test func `identities that an earlier version kept in its state file are taken over`() async throws {
        let scratch = try Scratch()
        let first = try await Bench(scratch: scratch)
        await first.update([Self.workload("zeta", interface: 9)] + Self.shop)
        let path = "\(scratch.path)/state"
        let again = try await Bench(scratch: scratch)
        var old = try #require(try StateStorage.read(StateFile.self, from: "\(path)/state.json"))
        old.identities = try StateStorage.read(IdentityAllocator.Snapshot.self, from: "\(path)/identities.json")
        try StateStorage.write(old, to: "\(path)/state.json")
        unsafe unlink("\(path)/identities.json")
        let second = try await Bench(scratch: scratch)
        await second.settle()
        #expect(second.mapState.lines() == again.mapState.lines() && second.endpoints == first.endpoints)
        #expect(try StateStorage.read(StateFile.self, from: "\(path)/state.json")?.identities == nil)
    }

    @Test func `a damaged line of the number log is an error, not a renaming of what the kernel holds`() async throws {
        let scratch = try Scratch()
        let first = try await Bench(scratch: scratch)
        await first.update(Self.shop)
        await first.write(Self.prefixPolicy("p", prefix: "192.0.2.1/32", port: 1), to: "1.yaml")
        let path = "\(scratch.path)/state/numbers.log"
        try AtomicFile.write(Array("{oops\n".utf8) + readFile(path), to: path)
        let error = await #expect(throws: AgentError.self) { _ = try await Bench(scratch: scratch) }
        #expect(error?.description.contains("line 1 is damaged") == true)
    }

    @Test(arguments: 0..<8) func `after any changes of files a restart makes the same tables`(seed: UInt64) async throws
    {
        let scratch = try Scratch()
        var bench = try await Bench(scratch: scratch)
        await bench.update(Self.shop)
        var random = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
        func next(_ limit: UInt64) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((random >> 33) % limit)
        }
        var held: [String: Set<Int>] = [:]
        for step in 0..<40 {
            let file = "\(next(4)).yaml"
            let names = (0..<next(4)).map { _ in next(6) }
            let documents = names.map {
                Self.prefixPolicy("p\($0)", prefix: "192.0.2.\(next(4))/32", port: 1 + next(3))
            }
            // Two of one name are an error of the file: what it held stays, and is gone after a restart.
            let others = held.filter { $0.key != file }.values.reduce(into: Set<Int>()) { $0.formUnion($1) }
            guard Set(names).count == names.count, others.isDisjoint(with: names) else { continue }
            held[file] = Set(names)
            if documents.isEmpty {
                await bench.remove(file)
            } else {
                await bench.write(documents.joined(separator: "---\n"), to: file)
            }
            guard step % 5 == 4 else { continue }
            let lines = bench.mapState.lines()
            let again = try await Bench(scratch: scratch)
            #expect(again.mapState.lines() == lines, "seed \(seed), step \(step)")
            bench = again
        }
    }

    @Test func `audit mode of the host and of an endpoint survive a restart`() async throws {
        let scratch = try Scratch()
        let datapath = InMemoryDatapath()
        let first = try await Bench(scratch: scratch, datapath: datapath)
        await first.update(Self.shop)
        _ = try await first.state.setAudit(true)
        _ = try await first.state.setEndpointAudit("db", true)
        #expect(first.endpoints[3]?.options == .audit)
        let second = try await Bench(scratch: scratch, datapath: datapath)
        #expect(datapath.withContent { $0.settings.isAudit })
        #expect(second.endpoints[3]?.options == .audit)
        #expect(try await second.state.status().audit)
    }

    @Test func `a dry run and a diff change nothing and say what would`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        let before = bench.mapState
        let document = PolicyDocument(name: "p.yaml", text: Array(Self.policy("db", from: "web").utf8))
        let report = try await bench.state.applyPolicies(document, options: ChangeOptions(isDryRun: true))
        #expect(!report.inForce && report.added == ["CiliumNetworkPolicy/shop/db"] && report.entriesAdded == 2)
        let diff = try await bench.state.diffPolicies(document, limit: 50)
        #expect(diff.lines.contains { $0.hasPrefix("+ ") && $0.contains("tcp/6379") })
        #expect(bench.mapState == before)
        #expect(try await bench.state.policies().isEmpty)
    }

    @Test func `explain agrees for endpoints, addresses and labels of workloads that do not exist`() async throws {
        let bench = try await Bench(scratch: try Scratch())
        await bench.update(Self.shop)
        _ = try await bench.apply(Self.policy("db", from: "web"))
        let key = WellKnownLabel.namespace
        for from in ["web", "10.0.0.2", "container:app=web,k8s:\(key)=shop"] {
            let report = try await bench.state.explain(
                ExplainRequest(from: from, to: "db", port: 6379, protocol: "tcp"))
            #expect(report.verdict == "allow")
            #expect(report.steps.last?.cause == "CiliumNetworkPolicy/shop/db ingress[0]")
        }
        for from in ["192.0.2.1", "k8s:app=web,k8s:\(key)=other", "world"] {
            let report = try await bench.state.explain(
                ExplainRequest(from: from, to: "db", port: 6379, protocol: "tcp"))
            #expect(report.verdict == "deny" && report.steps.last?.reason == "policy-default-deny")
            #expect(report.steps.last?.unmatched.count == 1)
        }
    }
}
