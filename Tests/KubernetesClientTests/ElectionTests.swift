// SPDX-License-Identifier: Apache-2.0

import KubernetesClient
import KubernetesDouble
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct ElectionTests {
    private let start = ContinuousClock.now
    private let time = "2026-11-23T08:00:00.000000Z"

    private func lease(_ step: Election.Step) throws -> Lease {
        guard case .write(let lease) = step else { throw Missing() }
        return lease
    }

    private struct Missing: Error {}

    @Test func `who finds no lease writes one, and leads until it could not renew for a while`() throws {
        var one = Election(identity: "one")
        let first = try lease(one.read(nil, at: start, time: time))
        #expect(first.holder == "one" && first.transitions == 0 && !one.leads(at: start))
        one.wrote(first, begun: start)
        #expect(one.leads(at: start + .seconds(9)) && !one.leads(at: start + .seconds(10)))
    }

    @Test func `a lease is taken once it was seen unchanged for as long as it lasts, whatever its times say`() throws {
        var two = Election(identity: "two")
        // By the other's clock it has ended long ago.
        var held = Lease(holder: "one", seconds: 15, at: "1999-01-01T00:00:00Z")
        held.resourceVersion = "1"
        #expect(two.read(held, at: start, time: time) == .wait)
        #expect(two.read(held, at: start + .seconds(14), time: time) == .wait)
        held.resourceVersion = "2"
        #expect(two.read(held, at: start + .seconds(16), time: time) == .wait, "it was renewed")
        #expect(two.read(held, at: start + .seconds(30), time: time) == .wait)
        let taken = try lease(two.read(held, at: start + .seconds(31), time: time))
        #expect(taken.holder == "two" && taken.transitions == 1 && taken.resourceVersion == "2")
        #expect(!two.leads(at: start + .seconds(31)), "not before it is written")
    }

    @Test func `who leads and finds another in the lease leads no more`() throws {
        var one = Election(identity: "one")
        one.wrote(try lease(one.read(nil, at: start, time: time)), begun: start)
        #expect(one.leads(at: start))
        #expect(one.read(Lease(holder: "two", seconds: 15, at: time), at: start + .seconds(1), time: time) == .wait)
        #expect(!one.leads(at: start + .seconds(1)) && one.resign(time: time) == nil)
    }

    @Test func `a lease left behind is taken at once`() throws {
        var one = Election(identity: "one"), two = Election(identity: "two")
        one.wrote(try lease(one.read(nil, at: start, time: time)), begun: start)
        let resigned = one.resign(time: time)
        let left = try #require(resigned)
        #expect(left.holder.isEmpty && !one.leads(at: start))
        let taken = try lease(two.read(left, at: start, time: time))
        #expect(taken.holder == "two")
    }

    /// Who leads now, and whether two ever did.
    private final class Record: Sendable {
        let leaders = Mutex((now: Set<String>(), most: 0, all: [String]()))

        func lead(_ name: String) async {
            leaders.withLock {
                $0.now.insert(name)
                $0.most = max($0.most, $0.now.count)
                $0.all.append(name)
            }
            while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(20)) }
            leaders.withLock { _ = $0.now.remove(name) }
        }

        func wait(_ condition: (Set<String>) -> Bool) async -> Bool {
            for _ in 0..<3_000 {
                if leaders.withLock({ condition($0.now) }) { return true }
                try? await Task.sleep(for: .milliseconds(10))
            }
            return false
        }
    }

    @Test func `of three one leads, and another when it goes`() async throws {
        let double = try await KubernetesDouble.start()
        double.store.put(namespace: "system")
        let record = Record()
        var settings = Election.Settings()
        (settings.leaseSeconds, settings.renewWithin, settings.interval) = (4, .seconds(3), .milliseconds(200))
        let key = ObjectKey(namespace: "system", name: "controller")
        let (tasks, clients) = (0..<3).reduce(into: ([String: Task<Void, Never>](), [KubernetesClient]())) {
            made, number in
            let client = KubernetesClient(KubernetesConfiguration(server: double.url))
            let elector = LeaderElector(client, lease: key, identity: "c\(number)", settings: settings)
            made.0["c\(number)"] = Task { await elector.run(lead: { await record.lead("c\(number)") }) }
            made.1.append(client)
        }
        #expect(await record.wait { $0.count == 1 })
        let first = try #require(record.leaders.withLock { $0.now.first })
        tasks[first]?.cancel()
        await tasks[first]?.value
        #expect(await record.wait { $0.count == 1 && !$0.contains(first) })
        // Nobody can renew: nobody leads before the lease has ended, and one does afterwards.
        double.faults.set(.failure(500, reason: "InternalError"), on: "leases")
        #expect(await record.wait { $0.isEmpty })
        double.faults.clear()
        #expect(await record.wait { $0.count == 1 })
        for task in tasks.values {
            task.cancel()
            await task.value
        }
        #expect(record.leaders.withLock { $0.most } == 1)
        for client in clients { await client.shutDown() }
        await double.stop()
    }
}
