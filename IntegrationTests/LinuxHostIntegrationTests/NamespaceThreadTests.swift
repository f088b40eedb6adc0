// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxHost
import TestBed
import Testing

/// Address range of the suites in this target.
let subnet = 40

@Suite(.serialized) struct NamespaceThreadTests {
    @Test func `reads a workload's interface and finds the host's end of its link`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let host = try await bed.host()
            let workload = try await host.addWorkload("in", number: 2)
            let thread = try NamespaceThread()
            let seen = try await thread.interfaces(
                of: workload.namespace.reference, host: host.namespace.reference)
            let links = try await thread.run(in: host.namespace.reference) { try RouteSession().links() }
            let hostEnd = try #require(links.first { $0.name == workload.hostInterface })
            let interface = try #require(seen.interfaces.first)
            #expect(seen.interfaces.count == 1)
            #expect(seen.inode == (try workload.namespace.reference.inode()))
            #expect(interface.link.name == "eth0")
            #expect(interface.hostIndex == hostEnd.index)
            #expect(interface.routableAddresses.count == 2)
            #expect(interface.link.peerNamespaceID != nil)
        }
    }

    @Test func `a link into a third namespace has no end on the host`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let (first, second) = (try await bed.namespace("a"), try await bed.namespace("b"))
            try await bed.veth(first, "eth0", to: second, "eth0")
            let seen = try await NamespaceThread().interfaces(of: first.reference)
            #expect(seen.interfaces.map(\.hostIndex) == [nil])
        }
    }

    @Test func `one namespace that is gone does not stop the others`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let there = try await bed.namespace("a")
            let seen = try await NamespaceThread().interfaces(
                of: [.path("/run/netns/\(bed.name("gone"))"), there.reference])
            #expect((try? seen[0].get()) == nil)
            #expect((try? seen[1].get())?.inode == (try there.reference.inode()))
        }
    }

    /// A thread inherits the namespace of who starts it, and who resumes a task may have to start one for it.
    @Test func `who waits for work in a namespace goes on outside of it`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let place = try await bed.namespace("a")
            let thread = try NamespaceThread()
            var updates = try NetworkMonitor.updates(in: place.reference).makeAsyncIterator()
            let home = try NetworkNamespace.own.inode()
            // The threads of Swift concurrency end when they have had nothing to do for five seconds.
            let inside = try await thread.run(in: place.reference) {
                _ = poll(nil, 0, 7000)
                return try NetworkNamespace.path("/proc/thread-self/ns/net").inode()
            }
            #expect(try NetworkNamespace.path("/proc/thread-self/ns/net").inode() == home)
            #expect(try inside == place.reference.inode())
            let threads = try await bed.run(["sh", "-c", "stat -Lc %i /proc/\(getpid())/task/*/ns/net | sort -u"]).text
            #expect(threads == "\(home)")
            #expect(await updates.next() != nil)
        }
    }

    @Test func `500 namespaces are read within two seconds`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let names = (0..<500).map { bed.name("n\($0)") }
            try bed.noteCleanup("for n in $(seq 0 499); do ip netns del \(bed.prefix)n$n; done")
            try await bed.run(
                ["ip", "-batch", "-"], input: names.map { "netns add \($0)\n" }.joined()
            ).checked()
            let thread = try NamespaceThread()
            let clock = ContinuousClock()
            var times: [Duration] = []
            for _ in 0..<3 {
                let start = clock.now
                let seen = await thread.interfaces(of: names.map { .path("/run/netns/\($0)") })
                times.append(clock.now - start)
                #expect(Set(seen.compactMap { try? $0.get().inode }).count == 500)
            }
            // The least: what others do on this machine meanwhile only ever adds.
            #expect(try #require(times.min()) < .seconds(2), "\(times)")
        }
    }
}

@Suite(.serialized) struct MountWatcherTests {
    @Test(.timeLimit(.minutes(1))) func `a namespace that gets a name or loses it is told`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            var changes = try MountWatcher.changes().makeAsyncIterator()
            let namespace = try await bed.namespace("a")
            // Others on this machine mount too: what counts is that the name means something when it is told.
            while (try? namespace.reference.inode()) == nil { await changes.next() }
            #expect(namespace.reference.isNamedByMount)
            try await namespace.remove()
            while (try? namespace.reference.inode()) != nil { await changes.next() }
            #expect(!namespace.reference.isNamedByMount)
            #expect(!NetworkNamespace.own.isNamedByMount)
        }
    }
}

@Suite(.serialized) struct NamespaceWatcherTests {
    @Test(.timeLimit(.minutes(1))) func `a watched namespace is told of, and let go when it is not wanted any more`()
        async throws
    {
        try await withTestBed(subnet: subnet) { bed in
            let (first, second) = (try await bed.namespace("a"), try await bed.namespace("b"))
            try await bed.veth(first, "v0", to: second, "v1")
            let inode = try first.reference.inode()
            let watcher = try NamespaceWatcher()
            var changes = watcher.changes().makeAsyncIterator()
            watcher.watch([inode: [first.reference], 1: [.path("/run/netns/\(bed.name("gone"))")]])
            #expect(await changes.next() == inode)
            try await eventually("what cannot be watched is named") { watcher.unwatched == [1] }
            try await bed.ipBatch(first, ["address add 10.240.1.1/24 dev v0"])
            #expect(await changes.next() == inode)
            // The subscription keeps the namespace, and so both ends of the link, alive.
            try await first.remove()
            #expect(try await second.run(["ip", "link", "show", "dev", "v1"]).status == 0)
            watcher.watch([:])
            try await eventually("the link goes with the namespace", within: .seconds(2)) {
                try await second.run(["ip", "link", "show", "dev", "v1"]).status != 0
            }
        }
    }
}

@Suite(.serialized) struct NetworkMonitorTests {
    @Test(.timeLimit(.minutes(1))) func `a link that comes, gets an address and goes is reported`() async throws {
        try await withTestBed(subnet: subnet) { bed in
            let namespace = try await bed.namespace("a")
            let updates = try NetworkMonitor.updates(in: namespace.reference)
            var state = NetworkSnapshot()
            var iterator = updates.makeAsyncIterator()
            func follow(until condition: (NetworkSnapshot) -> Bool) async {
                while !condition(state), let update = await iterator.next() { state.apply(update) }
            }
            await follow { $0.links.contains { $0.name == "lo" } }
            try await bed.ipBatch(
                namespace, ["link add v0 type veth peer name v1", "address add 10.240.1.1/24 dev v0"])
            await follow { $0.addresses.contains { $0.prefixLength == 24 } }
            #expect(Set(state.links.map(\.name)).isSuperset(of: ["v0", "v1"]))
            try await bed.ipBatch(namespace, ["link del v0"])
            await follow { !$0.links.contains { $0.name == "v0" || $0.name == "v1" } }
            #expect(!state.addresses.contains { $0.prefixLength == 24 })
        }
    }
}
