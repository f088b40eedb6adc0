// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import FlowAggregation
import Glibc
import IdentityModel
import KernelDatapath
import Logging
import NetworkModel
import PolicyCompiler
import Testing

@testable import AgentCore
@testable import LinuxHost

/// An agent without a kernel on a directory that outlives it.
struct Keeper {
    let scratch: Scratch
    let datapath = InMemoryDatapath()
    let state: AgentState

    init(_ scratch: Scratch, limits: PolicyHistory.Limits = .init(), host: Bool = false) async throws {
        self.scratch = scratch
        var configuration = AgentConfiguration()
        configuration.policyDirectory = "\(scratch.path)/watched"
        configuration.stateDirectory = "\(scratch.path)/state"
        configuration.historyLimits = limits
        configuration.hostEndpoint.isEnabled = host
        configuration.hostEndpoint.failsafes = []
        try createDirectory(configuration.policyDirectory)
        state = try AgentState(
            configuration: configuration, datapath: datapath, aggregator: FlowAggregator(capacity: 8),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await state.expect(sources: ["test"])
        await state.adopt()
        let labels = LabelSet([
            Label(source: LabelSource.kubernetes, key: "app", value: "db"),
            Label(source: LabelSource.kubernetes, key: WellKnownLabel.namespace, value: "shop"),
        ])
        let workload = Workload(
            key: "test:db", name: "db", source: "test", labels: labels, addresses: [IPAddress(v4: 0x0a00_0003)],
            interfaces: [.init(name: "veth3", index: 3)])
        await state.update(source: "test", workloads: [workload], state: "ok", location: "")
        await state.settle()
    }

    @discardableResult
    func apply(_ text: String, confirm: Duration? = nil, userID: UInt32? = 0) async throws -> PolicyChangeReport {
        try await state.applyPolicies(
            PolicyDocument(name: "p.yaml", text: Array(text.utf8)),
            options: ChangeOptions(confirmWithin: confirm, userID: userID))
    }

    /// The ports that are open at the database, as the tables have them; the host reaches all.
    var ports: Set<UInt16> {
        Set(datapath.withContent { $0.mapState ?? MapState() }.policy.keys.map(\.port).filter { $0 > 0 })
    }

    /// What the API shows of each policy.
    func documents() async throws -> [String: String] {
        var documents: [String: String] = [:]
        for policy in try await state.policies() {
            let document = try await state.policy(policy.text).document ?? ""
            documents[policy.name] = document.hasPrefix("---\n") ? String(document.dropFirst(4)) : document
        }
        return documents
    }
}

private let closingHost = """
    apiVersion: cilium.io/v2
    kind: CiliumClusterwideNetworkPolicy
    metadata: {name: host}
    spec:
      nodeSelector: {}
      ingress: [{fromEntities: [cluster]}]

    """

@Suite struct PolicyHistoryTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `each change is a revision that says who, what and what was before`() async throws {
        let keeper = try await Keeper(scratch)
        #expect(
            try await keeper.apply(databasePolicy("a", port: 1) + "---\n" + databasePolicy("b", port: 2), userID: 7)
                .revision == 1)
        #expect(try await keeper.apply(databasePolicy("a", port: 3), userID: 8).revision == 2)
        #expect(try await keeper.apply(databasePolicy("a", port: 3)).revision == nil, "nothing changed")
        _ = try await keeper.state.deletePolicy("b", options: ChangeOptions(userID: 9))
        for agent in [keeper, try await Keeper(scratch)] {
            let report = try await agent.state.history(limit: 10)
            #expect(report.revisions.map(\.number) == [3, 2, 1])
            #expect(report.revisions.map(\.userID) == [9, 8, 7])
            #expect(report.revisions.map(\.action) == [.delete, .apply, .apply])
            #expect(report.revisions[2].added == ["NetworkPolicy/shop/a", "NetworkPolicy/shop/b"])
            #expect(report.revisions[1].changed == ["NetworkPolicy/shop/a"])
            #expect(report.revisions[0].removed == ["NetworkPolicy/shop/b"])
            #expect(report.oldestReachable == 0 && report.kept == 3 && report.confirmation == nil)
            #expect(try await agent.state.history(limit: 1).revisions.map(\.number) == [3])
            let change = try #require(try await agent.state.revision(2).changes.first)
            #expect(change.before == databasePolicy("a", port: 1) && change.after == databasePolicy("a", port: 3))
        }
        let missing = await #expect(throws: APIError.self) { try await keeper.state.revision(4) }
        #expect(missing?.code == .notFound)
    }

    @Test func `policies with the longest names are kept, told apart and deleted like others`() async throws {
        let ending = String(repeating: "n", count: 252)
        for names in [["a", "b"].map { $0 + ending }, ["a", "b"].map { ending + $0 }] {
            let keeper = try await Keeper(scratch)
            for (number, name) in names.enumerated() { try await keeper.apply(databasePolicy(name, port: 1 + number)) }
            #expect(try await keeper.state.status().problems.isEmpty)
            let next = try await Keeper(scratch)
            #expect(next.ports == [1, 2])
            _ = try await next.state.deletePolicy(names[0], options: ChangeOptions())
            #expect(try await Keeper(scratch).ports == [2])
            _ = try await next.state.deletePolicy(names[1], options: ChangeOptions())
            #expect(try directoryEntries("\(scratch.path)/state/policies") == [])
            #expect(try directoryEntries("\(scratch.path)/state/history").allSatisfy { !$0.contains("pending") })
        }
    }

    @Test func `a rollback brings all policies of a revision back, as a new revision`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try await keeper.apply(databasePolicy("a", port: 2) + "---\n" + databasePolicy("b", port: 3))
        _ = try await keeper.state.deletePolicy("a", options: ChangeOptions())
        #expect(keeper.ports == [3])
        let commits = try await keeper.state.status().state.commits
        let report = try await keeper.state.rollBack(to: 2, options: ChangeOptions(userID: 5))
        #expect(report.added == ["NetworkPolicy/shop/a"] && report.revision == 4)
        #expect(keeper.ports == [2, 3])
        _ = try await keeper.state.rollBack(to: 1, options: ChangeOptions())
        #expect(keeper.ports == [1])
        #expect(try await keeper.state.status().state.commits == commits + 2, "one transaction each")
        #expect(try await keeper.documents() == ["a": databasePolicy("a", port: 1)])
        #expect(try await Keeper(scratch).documents() == ["a": databasePolicy("a", port: 1)])
        _ = try await keeper.state.rollBack(to: 0, options: ChangeOptions())
        #expect(keeper.ports.isEmpty)
        let newest = try #require(try await keeper.state.history(limit: 2).revisions.last)
        #expect(newest.action == .rollback && newest.target == 1)
        let dry = try await keeper.state.rollBack(to: 4, options: ChangeOptions(isDryRun: true))
        #expect(!dry.inForce && dry.added.count == 2)
        #expect(keeper.ports.isEmpty)
    }

    @Test func `a rollback that changes nothing is no revision`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 80))
        _ = try await keeper.state.deletePolicy("a", options: ChangeOptions())
        let report = try await keeper.state.rollBack(to: 0, options: ChangeOptions())
        #expect(report.revision == nil && report.added + report.changed + report.removed == [])
        #expect(try await keeper.state.history(limit: 9).revisions.map(\.number) == [2, 1])
    }

    @Test func `several files are one revision, and one that is wrong keeps all of them out`() async throws {
        let keeper = try await Keeper(scratch)
        func documents(_ texts: [String]) -> [PolicyDocument] {
            texts.enumerated().map { PolicyDocument(name: "\($0 + 1).yaml", text: Array($1.utf8)) }
        }
        let first = databasePolicy("a", port: 80)
        for wrong in [first, databasePolicy("b", port: 99_999), "# nothing\n", "kind: x"] {
            await #expect {
                try await keeper.state.applyPolicies(documents([first, wrong]), options: ChangeOptions())
            } throws: { error in
                let error = error as? APIError
                return error?.code == .invalidPolicy && error?.message.hasPrefix("2.yaml") == true
                    && error?.diagnostics.contains { $0.file == "2.yaml" } == true
            }
        }
        #expect(keeper.ports.isEmpty)
        #expect(try await keeper.state.history(limit: 9).revisions.isEmpty)
        let report = try await keeper.state.applyPolicies(
            documents([first, databasePolicy("b", port: 81)]), options: ChangeOptions())
        #expect(report.revision == 1 && report.added.count == 2 && keeper.ports == [80, 81])
        #expect(try await keeper.state.policies().map(\.source) == ["1.yaml:1:1", "2.yaml:1:1"])
    }

    @Test func `a rollback meets the checks of apply`() async throws {
        let keeper = try await Keeper(scratch, host: true)
        _ = try await keeper.state.applyPolicies(
            PolicyDocument(name: "h.yaml", text: Array((closingHost + "---\n" + databasePolicy("a", port: 1)).utf8)),
            options: ChangeOptions(isForced: true))
        _ = try await keeper.state.rollBack(to: 0, options: ChangeOptions())
        let lockout = await #expect(throws: APIError.self) {
            try await keeper.state.rollBack(to: 1, options: ChangeOptions())
        }
        #expect(lockout?.code == .refused && lockout?.message.contains("--force") == true)
        #expect(try await keeper.state.history(limit: 9).revisions.count == 2, "a refused change is no revision")
        try AtomicFile.write(Array(databasePolicy("a", port: 9).utf8), to: "\(scratch.path)/watched/a.yaml")
        await keeper.state.update(policyDirectory: DirectoryChange(names: ["a.yaml"]))
        let conflict = await #expect(throws: APIError.self) {
            try await keeper.state.rollBack(to: 1, options: ChangeOptions(isForced: true))
        }
        #expect(conflict?.code == .refused && conflict?.message.contains("a.yaml") == true)
        for impossible in [2, 3, -1] {
            await #expect(throws: APIError.self) {
                try await keeper.state.rollBack(to: impossible, options: ChangeOptions())
            }
        }
    }

    @Test func `a file of the directory stays in force when the applied policy it covers goes`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try AtomicFile.write(Array(databasePolicy("a", port: 9).utf8), to: "\(scratch.path)/watched/a.yaml")
        await keeper.state.update(policyDirectory: DirectoryChange(names: ["a.yaml"]))
        #expect(keeper.ports == [9])
        _ = try await keeper.state.rollBack(to: 0, options: ChangeOptions())
        #expect(keeper.ports == [9])
    }

    @Test func `only so many revisions are kept, and of the rest none can be brought back`() async throws {
        let keeper = try await Keeper(scratch, limits: .init(revisions: 3))
        for port in 1...9 { try await keeper.apply(databasePolicy("a", port: port)) }
        #expect(try await keeper.state.history(limit: 99).revisions.map(\.number) == [9, 8, 7])
        let error = await #expect(throws: APIError.self) {
            try await keeper.state.rollBack(to: 5, options: ChangeOptions())
        }
        #expect(error?.message.contains("6 to 8 can") == true)
        _ = try await keeper.state.rollBack(to: 6, options: ChangeOptions())
        #expect(keeper.ports == [6])
        let small = try await Keeper(scratch, limits: .init(bytes: 1))
        try await small.apply(databasePolicy("a", port: 20))
        #expect(try await small.state.history(limit: 99).revisions.map(\.number) == [11], "the newest is kept")
        #expect(try directoryEntries("\(scratch.path)/state/history") == ["11.json"])
    }

    @Test func `a damaged revision keeps nobody from working and is named`() async throws {
        let keeper = try await Keeper(scratch)
        for port in 1...3 { try await keeper.apply(databasePolicy("a", port: port)) }
        try AtomicFile.write(Array("{\"number\": 2}\nnonsense".utf8), to: "\(scratch.path)/state/history/2.json")
        let next = try await Keeper(scratch)
        #expect(next.ports == [3])
        let error = await #expect(throws: APIError.self) {
            try await next.state.rollBack(to: 1, options: ChangeOptions())
        }
        #expect(error?.message.contains("history/2.json") == true)
        _ = try await next.state.rollBack(to: 2, options: ChangeOptions())
        #expect(next.ports == [2])
        #expect(try await next.apply(databasePolicy("a", port: 4)).revision == 5)
    }

    /// Every mixture of old and new files that a kill can leave behind, before and after the revision was published.
    @Test func `a kill between any two steps leaves the old policies or the new ones`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(
            databasePolicy("a", port: 1) + "---\n" + databasePolicy("b", port: 1) + "---\n"
                + databasePolicy("c", port: 1))
        let directory = "\(scratch.path)/state/policies", history = "\(scratch.path)/state/history"
        let old = try contents(of: directory), first = try contents(of: history)
        try await keeper.apply(
            databasePolicy("a", port: 2) + "---\n" + databasePolicy("b", port: 2) + "---\n"
                + databasePolicy("d", port: 2))
        let new = try contents(of: directory), second = try contents(of: history)
        let names = Set(old.keys).union(new.keys).sorted()
        let revision = try #require(second["2.json"])
        for written in 0..<(1 << names.count) {
            let mixed = names.enumerated().reduce(into: [String: [UInt8]]()) { files, name in
                files[name.element] = (written >> name.offset & 1 == 0 ? old : new)[name.element]
            }
            try replace(directory, with: mixed.merging(["x.json.new": [0x7b]]) { first, _ in first })
            try replace(history, with: first.merging(["2.pending.json": revision]) { first, _ in first })
            let after = try await Keeper(scratch)
            #expect(after.ports == [1, 2], "\(written)")
            #expect(
                try await after.documents() == [
                    "a": databasePolicy("a", port: 2), "b": databasePolicy("b", port: 2),
                    "c": databasePolicy("c", port: 1),
                    "d": databasePolicy("d", port: 2),
                ])
            #expect(try contents(of: directory) == new && contents(of: history) == second)
        }
        // Not published yet: whatever was staged goes.
        try replace(directory, with: old)
        try replace(history, with: first.merging(["2.pending.json.new": revision]) { first, _ in first })
        #expect(try await Keeper(scratch).ports == [1])
        #expect(try contents(of: directory) == old && contents(of: history) == first)
    }

    private func contents(of directory: String) throws -> [String: [UInt8]] {
        try directoryEntries(directory).reduce(into: [:]) { files, name in
            files[name] = try readFile("\(directory)/\(name)", bytesMax: 1 << 20)
        }
    }

    private func replace(_ directory: String, with files: [String: [UInt8]]) throws {
        for name in try directoryEntries(directory) { unsafe unlink("\(directory)/\(name)") }
        for (name, bytes) in files { try AtomicFile.write(bytes, to: "\(directory)/\(name)") }
    }
}

@Suite struct ConfirmationTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `what nobody confirms is taken back, what somebody confirms stays`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        let report = try await keeper.apply(
            databasePolicy("a", port: 2) + "---\n" + databasePolicy("b", port: 2), confirm: .seconds(60))
        #expect(report.confirmation?.revision == 2 && report.confirmation?.rollbackTo == 1)
        #expect(keeper.ports == [2])
        let waiting = try #require(try await keeper.state.status().confirmation)
        #expect(waiting.secondsLeft > 50 && waiting.secondsLeft <= 60)
        let refused = await #expect(throws: APIError.self) { try await keeper.apply(databasePolicy("c", port: 3)) }
        #expect(refused?.code == .refused && refused?.message.contains("bulkhead policy confirm 2") == true)
        await #expect(throws: APIError.self) { try await keeper.state.confirm(1) }
        #expect(try await keeper.state.confirm(2).number == 2)
        await keeper.state.rollBackUnconfirmed()
        #expect(keeper.ports == [2])
        let late = await #expect(throws: APIError.self) { try await keeper.state.confirm(nil) }
        #expect(late?.code == .notFound)

        try await keeper.apply(
            databasePolicy("a", port: 3) + "---\n" + databasePolicy("c", port: 3), confirm: .milliseconds(5))
        #expect(keeper.ports == [2, 3])
        try await Task.sleep(for: .milliseconds(10))
        await #expect(throws: APIError.self, "too late") { try await keeper.state.confirm(3) }
        await keeper.state.rollBackUnconfirmed()
        #expect(keeper.ports == [2])
        for agent in [keeper, try await Keeper(scratch)] {
            #expect(
                try await agent.documents() == ["a": databasePolicy("a", port: 2), "b": databasePolicy("b", port: 2)])
            let newest = try #require(try await agent.state.history(limit: 1).revisions.first)
            #expect(newest.number == 4 && newest.action == .unconfirmed && newest.target == 2 && newest.userID == nil)
            #expect(newest.removed == ["NetworkPolicy/shop/c"] && newest.changed == ["NetworkPolicy/shop/a"])
            #expect(try await agent.state.status().confirmation == nil)
        }
        #expect(try await keeper.apply(databasePolicy("a", port: 7)).revision == 5)
    }

    @Test func `a restart keeps the time, and takes back what is overdue before anything else`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try await keeper.apply(databasePolicy("a", port: 2), confirm: .milliseconds(400))
        let early = try await Keeper(scratch)
        #expect(early.ports == [2])
        #expect(try await early.state.status().confirmation?.revision == 2)
        try await Task.sleep(for: .milliseconds(450))
        let late = try await Keeper(scratch)
        #expect(late.ports == [1])
        #expect(late.datapath.withContent { !$0.calls.isEmpty })
        #expect(try await late.state.history(limit: 1).revisions.first?.action == .unconfirmed)
        #expect(try await late.state.status().confirmation == nil)
    }

    @Test func `a rollback by hand ends the wait, also one that changes nothing`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try await keeper.apply(databasePolicy("a", port: 2), confirm: .seconds(60))
        _ = try await keeper.state.rollBack(to: 1, options: ChangeOptions())
        #expect(keeper.ports == [1])
        #expect(try await keeper.state.status().confirmation == nil)
        #expect(try await Keeper(scratch).state.status().confirmation == nil)
        #expect(try await keeper.apply(databasePolicy("a", port: 2)).revision == 4)
        try await keeper.apply(databasePolicy("a", port: 1), confirm: .seconds(60))
        _ = try await keeper.state.rollBack(to: 3, options: ChangeOptions())
        #expect(try await keeper.state.status().confirmation == nil)
        #expect(keeper.ports == [1])
    }

    @Test func `what a kill left of a change that never came into force undoes nothing`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try await keeper.apply(databasePolicy("a", port: 2), confirm: .milliseconds(1))
        let history = "\(scratch.path)/state/history"
        // As if killed between publishing the undo and publishing the revision.
        unsafe unlink("\(history)/2.json")
        try await Task.sleep(for: .milliseconds(5))
        let next = try await Keeper(scratch)
        #expect(try directoryEntries(history) == ["1.json"])
        #expect(try await next.state.status().confirmation == nil)
        #expect(try await next.state.history(limit: 9).revisions.map(\.number) == [1])
    }

    @Test func `closing SSH by force is undone whole`() async throws {
        let keeper = try await Keeper(scratch, host: true)
        _ = try await keeper.state.applyPolicies(
            PolicyDocument(name: "h.yaml", text: Array(closingHost.utf8)),
            options: ChangeOptions(isForced: true, confirmWithin: .milliseconds(5)))
        #expect(await keeper.state.isLockoutForced)
        try await Task.sleep(for: .milliseconds(10))
        await keeper.state.rollBackUnconfirmed()
        #expect(await keeper.state.isLockoutForced == false)
        #expect(try await Keeper(scratch, host: true).state.isLockoutForced == false)
        #expect(try await keeper.state.policies().isEmpty)
    }

    @Test func `a rollback that the kernel refuses is a problem and tried again`() async throws {
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try await keeper.apply(databasePolicy("a", port: 2), confirm: .milliseconds(5))
        try await Task.sleep(for: .milliseconds(10))
        keeper.datapath.withContent { $0.nextError = .incomplete }
        await keeper.state.rollBackUnconfirmed()
        #expect(keeper.ports == [2])
        #expect(try await keeper.state.status().problems.map(\.subject) == ["confirmation"])
        await keeper.state.rollBackUnconfirmed()
        #expect(keeper.ports == [1])
        #expect(try await keeper.state.status().problems.isEmpty)
    }

    @Test func `a deadline holds by the boot clock, and after a reboot no longer than it was given`() {
        let second: UInt64 = 1_000_000_000
        let deadline = ConfirmationDeadline(
            in: .seconds(120), .init(wall: 5000 * second, boot: 100 * second, bootID: "a"))
        func remaining(_ wall: UInt64, _ boot: UInt64, _ bootID: String) -> UInt64 {
            deadline.remaining(.init(wall: wall * second, boot: boot * second, bootID: bootID)) / second
        }
        #expect(remaining(5020, 120, "a") == 100)
        #expect(remaining(99_999, 120, "a") == 100, "setting the clock moves nothing")
        #expect(remaining(5020, 400, "a") == 0)
        #expect(remaining(5050, 7, "b") == 70)
        #expect(remaining(6000, 7, "b") == 0)
        #expect(remaining(3, 7, "b") == 120, "a host without a clock")
        let rebased = deadline.rebased(.init(wall: 3 * second, boot: 7 * second, bootID: "b"))
        #expect(rebased.remaining(.init(wall: 3 * second, boot: 57 * second, bootID: "b")) == 70 * second)
        #expect(rebased.rebased(.init(wall: 0, boot: 57 * second, bootID: "b")) == rebased)
    }
}

@Suite struct AgentLintTests {
    private func lint(_ keeper: Keeper, _ documents: [TextDocument]) async throws -> LintReport {
        try await keeper.state.lintPolicies(LintRequest(documents: documents))
    }

    @Test func `documents are judged with what is in force, and only they are spoken of`() async throws {
        let keeper = try await Keeper(try Scratch())
        try await keeper.apply(databasePolicy("a", port: 80))
        let inForce = try await lint(keeper, [])
        #expect(inForce.policies == ["NetworkPolicy/shop/a"])
        #expect(inForce.workloads == 1, "the host is none")
        let same = databasePolicy("b", port: 80),
            nobody = databasePolicy("c", port: 82).replacing("app: db", with: "app: none")
        let report = try await lint(
            keeper, [.init(name: "b.yaml", text: same), .init(name: "c.yaml", text: nobody)])
        #expect(report.policies == ["NetworkPolicy/shop/b", "NetworkPolicy/shop/c"])
        let found = report.findings.map { "\($0.diagnostic.file) \($0.diagnostic.code)" }
        #expect(found.contains("c.yaml BH2101"), "it selects no endpoint: \(found)")
        #expect(found.contains("b.yaml BH2111"), "a says the same: \(found)")
        #expect(keeper.ports == [80])
    }

    @Test func `errors of all documents are told together, and nothing else`() async throws {
        let keeper = try await Keeper(try Scratch())
        let report = try await lint(
            keeper,
            [
                .init(name: "a.yaml", text: "kind: x\n"), .init(name: "b.yaml", text: databasePolicy("b", port: 80)),
                .init(name: "c.yaml", text: "a: [\n"),
            ])
        #expect(Set(report.findings.map(\.diagnostic.file)) == ["a.yaml", "c.yaml"])
        #expect(report.findings.allSatisfy { $0.diagnostic.severity == "error" && $0.diagnostic.line > 0 })
    }
}

@Suite struct TimedPolicyTests {
    private func timed(_ name: String, port: Int, in seconds: Int64) -> String {
        let end = Timestamp.text(seconds: Timestamp.secondsNow() + seconds)
        return databasePolicy(name, port: port).replacing(
            "namespace: shop}", with: "namespace: shop, annotations: {bulkhead.dev/validUntil: \"\(end)\"}}")
    }

    @Test func `a policy is out of force from its end on, named, and can be deleted`() async throws {
        let scratch = try Scratch()
        let keeper = try await Keeper(scratch)
        try await keeper.apply(databasePolicy("a", port: 1))
        try await keeper.apply(timed("b", port: 2, in: 1))
        try AtomicFile.write(Array(timed("c", port: 3, in: 3600).utf8), to: "\(scratch.path)/watched/c.yaml")
        try AtomicFile.write(Array(timed("d", port: 4, in: -5).utf8), to: "\(scratch.path)/watched/d.yaml")
        await keeper.state.update(policyDirectory: DirectoryChange(names: ["c.yaml", "d.yaml"]))
        #expect(keeper.ports == [1, 2, 3])
        try await Task.sleep(for: .milliseconds(1100))
        await keeper.state.followTime()
        #expect(keeper.ports == [1, 3])
        for agent in [keeper, try await Keeper(scratch)] {
            #expect(agent.ports == [1, 3])
            let ends = try #require(try await agent.state.status().timedPolicies)
            #expect(ends.map(\.policy).sorted().map { $0.suffix(1) } == ["b", "c", "d"])
            #expect(ends.filter(\.inForce).map { $0.policy.suffix(1) } == ["c"])
            let listed = try await agent.state.policies()
            #expect(listed.map(\.name) == ["a", "b", "c", "d"])
            #expect(listed.map(\.isLapsed) == [nil, true, nil, true])
            #expect(listed.map(\.validUntil).map { $0 == nil } == [true, false, false, false])
        }
        _ = try await keeper.state.deletePolicy("b", options: ChangeOptions())
        #expect(try await keeper.state.policies().map(\.name) == ["a", "c", "d"])
        // Brought back by a rollback, its time is still over; replaced by one without an end, it is in force.
        _ = try await keeper.state.rollBack(to: 2, options: ChangeOptions())
        #expect(keeper.ports == [1, 3])
        try await keeper.apply(databasePolicy("b", port: 2))
        #expect(keeper.ports == [1, 2, 3])
        #expect(try await keeper.state.status().timedPolicies?.count == 2)
    }
}
