// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import KernelPrograms
import KernelTesting
import NetworkModel
import PolicyCompiler
import Synchronization
import Testing

@testable import KernelDatapath

extension DatapathKernelTests {
    /// Filters at once, links when there is time.
    @Suite struct InterimTests {
        @Test func `filters judge at once, and links take their place`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.replace(with: .closed)
                let index = bench.endpoint().interface
                #expect(try datapath.attach(bench.endpoint(), isAtOnce: true) == .clsact)
                #expect(!bench.canPing())
                #expect(try bench.links() == 0 && bench.filters() == 2)
                #expect(try datapath.attach(bench.endpoint()) == .clsact, "a record alone changes nothing")
                #expect(try datapath.settle(interface: index) == .tcx)
                #expect(try bench.links() == 2 && bench.filters() == 0)
                #expect(!bench.canPing())
                try datapath.commit(MapState.closed.changes(to: .open))
                #expect(bench.canPing())
                #expect(try datapath.settle(interface: index) == .tcx)
                try datapath.detach(interface: index)
                #expect(try bench.links() == 0 && bench.filters() == 0)
            }
        }

        @Test(arguments: [false, true])
        func `no packet passes unseen, and none is lost, while links take the place of filters`(
            isOpen: Bool
        ) async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.replace(with: isOpen ? .open : .closed)
                try datapath.attach(bench.endpoint(), isAtOnce: true)
                let ping = "ping -q -i 0.002 -c 500 -W 1 \(Workbench.hostAddress)"
                let (isOver, isAsExpected) = (Signal(), Signal())
                let report = "500 packets transmitted, \(isOpen ? 500 : 0) received"
                try startThread(named: "ping") {
                    let line = "ip netns exec \(bench.namespace) \(ping) 2>&1 | grep -q '\(report)'"
                    if (try? shell(line)) != nil { isAsExpected.give() }
                    isOver.give()
                }
                while try bench.judged(datapath, isOpen) < 50, !isOver.isGiven { sched_yield() }
                #expect(try datapath.settle(interface: bench.endpoint().interface) == .tcx)
                #expect(!isOver.isGiven, "packets came all the time")
                while !isOver.isGiven { sched_yield() }
                #expect(isAsExpected.isGiven)
                let judged = try bench.judged(datapath, isOpen)
                // Where a packet passes, both judge it for the moment between two calls of the agent.
                #expect(isOpen ? (500...510).contains(judged) : judged == 500, "\(judged)")
            }
        }

        @Test(arguments: [false, true])
        func `what an agent left by half is made whole by the next`(hasPlaceHolders: Bool) async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath()
                    try datapath.replace(with: .closed)
                    try datapath.attach(bench.endpoint(), isAtOnce: true)
                    if hasPlaceHolders { try bench.holdPlaces() }
                    #expect(!bench.canPing())
                }
                #expect(!bench.canPing(), "no agent runs")
                let datapath = try bench.datapath()
                #expect(try bench.links() == 2 && bench.filters() == 0)
                #expect(!bench.canPing())
                #expect(try datapath.attach(bench.endpoint()) == .tcx)
                try datapath.replace(with: .open)
                #expect(bench.canPing())
            }
        }

        @Test func `removal without an agent takes filters too`() async throws {
            try await Workbench.run { bench in
                do {
                    let datapath = try bench.datapath()
                    try datapath.replace(with: .closed)
                    try datapath.attach(bench.endpoint(), isAtOnce: true)
                }
                #expect(try Datapath.remove(directory: bench.directory) == 1)
                #expect(bench.canPing())
                #expect(try bench.filters() == 0)
            }
        }

        @Test func `another tool's queueing discipline is left alone`() async throws {
            try await Workbench.run { bench in
                try shell("tc qdisc add dev bhkd-w ingress")
                let datapath = try bench.datapath()
                try datapath.replace(with: .closed)
                #expect(try datapath.attach(bench.endpoint(), isAtOnce: true) == .tcx)
                #expect(!bench.canPing())
                try datapath.detach(interface: bench.endpoint().interface)
                try shell("tc qdisc show dev bhkd-w | grep -q ingress")
            }
        }

        @Test func `where another tool's program would be asked first, links come at once`() async throws {
            try await Workbench.run { bench in
                let object = try BPFObject(.foreign)
                try object.load()
                let index = bench.endpoint().interface
                let before = try TrafficLink(attaching: object.program("foreign_accept"), to: index, at: .ingress)
                let datapath = try bench.datapath()
                try datapath.replace(with: .closed)
                #expect(try datapath.attach(bench.endpoint(), isAtOnce: true) == .tcx)
                #expect(!bench.canPing(), "ours is asked first")
                #expect(try before.interfaceIndex() == index)
            }
        }
    }

    /// Commits that do not wait for packets that are being judged.
    @Suite struct CommitAheadTests {
        @Test func `every packet after a commit ahead is judged by it, and the next commit builds on it`() async throws
        {
            try await Workbench.run { bench in
                let generation: UInt32
                do {
                    let datapath = try bench.datapath()
                    try datapath.attach(bench.endpoint())
                    try datapath.replace(with: .open)
                    // Both subjects stay as the last commit left them, in whichever bank it was.
                    let (far, near) = (SubjectState.open, MapState.closed.subjects[3])
                    for round in 0..<8 {
                        let isClosed = round % 2 == 0
                        var changes = MapChanges()
                        changes.subjectSettings = [3: isClosed ? near ?? far : far, UInt16(10 + round): far]
                        try datapath.commit(changes, isAhead: round % 3 != 2)
                        #expect(bench.canPing() != isClosed, "round \(round)")
                        if round == 4 { datapath.levelBanks() }
                    }
                    var last = MapChanges()
                    last.subjectSettings = [3: near ?? far]
                    generation = try datapath.commit(last, isAhead: true).generation
                }
                #expect(!bench.canPing(), "no agent runs, and nobody levelled")
                let datapath = try bench.datapath()
                #expect(datapath.status().generation == generation)
                #expect(try datapath.replace(with: .open).generation == generation + 1)
                #expect(bench.canPing())
            }
        }

        @Test func `levelled banks are equal`() async throws {
            try await Workbench.run { bench in
                let datapath = try bench.datapath()
                try datapath.attach(bench.endpoint())
                try datapath.replace(with: .open)
                #expect(try bench.areBanksEqual())
                try datapath.commit(MapState.open.changes(to: .closed), isAhead: true)
                #expect(try !bench.areBanksEqual(), "the old bank is as it was")
                datapath.levelBanks()
                #expect(try bench.areBanksEqual())
                try datapath.commit(MapState.closed.changes(to: .open), isAhead: true)
                try datapath.commit(MapState.open.changes(to: .closed))
                #expect(try bench.areBanksEqual())
            }
        }
    }
}

/// Something that has happened, as another thread says.
private final class Signal: Sendable {
    private let state = Atomic(false)

    var isGiven: Bool { state.load(ordering: .acquiring) }

    func give() { state.store(true, ordering: .releasing) }
}

extension Workbench {
    /// Packets that the workload sent, as far as they were judged.
    fileprivate func judged(_ datapath: Datapath, _ isOpen: Bool) throws -> UInt64 {
        guard isOpen else {
            return try datapath.metrics().dropped.values.reduce(0) { $0 + ($1[.egress]?.packets ?? 0) }
        }
        return try datapath.conntrackFlows(of: 1).reduce(0) { $0 + $1.sent.packets }
    }

    /// How many of the two hooks of the workload's device have a pinned link.
    fileprivate func links() -> Int {
        let index = endpoint().interface
        return TrafficHook.allCases.filter {
            unsafe access(directory.link(index, $0), F_OK) == 0
        }.count
    }

    /// How many of the two hooks of the workload's device have a filter of ours.
    fileprivate func filters() throws -> Int {
        let index = endpoint().interface
        return try TrafficHook.allCases.filter { try ClsactFilter.programID(on: index, at: $0) != nil }.count
    }

    /// Leaves what an agent leaves that dies while links take the place of filters.
    fileprivate func holdPlaces() throws {
        for hook in TrafficHook.allCases {
            let name = "tc_place_holder"
            let path = directory.programs().first { $0.contains(name) } ?? name
            let pinned = try pin(path)
            let index = endpoint().interface
            try TrafficLink.keep(
                BPFProgram(descriptor: pinned, name: name),
                pinnedAt: directory.link(index, hook), on: index, at: hook)
        }
    }

    private func pin(_ path: String) throws -> FileDescriptor {
        guard let pinned = try FileDescriptor.pinned(at: path) else {
            throw BPFError(errno: ENOENT, operation: "open \(path)")
        }
        return pinned
    }

    /// True if both banks of the subjects hold the same.
    fileprivate func areBanksEqual() throws -> Bool {
        let name = "subject_map"
        let map = try MappedArray(pin(directory.map(name)), name: name)
        let half = map.byteCount / 2
        return stride(from: 0, to: half, by: 4).allSatisfy {
            map.loadAcquiring(at: $0) == map.loadAcquiring(at: half + $0)
        }
    }
}
