// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import Testing

@Suite(.timeLimit(.minutes(2))) struct ConnectionTests {
    @Test func `a server that is down refuses connections, and comes back with what it knew`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(double.store.version)")
        while double.counters.openWatches() == 0 { await Task.yield() }
        await double.stop()
        #expect((try? await watch.next()) == nil)
        #expect(!watch.hasEnded)
        await #expect(throws: (any Error).self) { try await client.get("/api/v1/pods") }
        try double.store.apply(pod("b"))
        try await double.restart()
        #expect(try await client.get("/api/v1/pods").names == ["a", "b"])
        await double.stop()
    }

    @Test func `a reset is an error, not an end`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        double.faults.set(.reset, on: "pods", times: 1)
        await #expect(throws: (any Error).self) { try await client.sendAndExpectAnswer("/api/v1/pods") }
        #expect(try await client.get("/api/v1/pods").code == 200)
        #expect(double.counters.requests(.list, .pods, code: 0).count == 1)
        await double.stop()
    }

    @Test func `a frozen connection stays open and says nothing`() async throws {
        var options = DoubleOptions()
        options.bookmarkMilliseconds = 10
        let (double, client) = try await doubleWithPods([], options: options)
        let watch = try await client.watch(
            "/api/v1/pods?watch=1&resourceVersion=\(double.store.version)&allowWatchBookmarks=true")
        #expect(try await watch.nextEvent() == "BOOKMARK")
        double.freezeConnections()
        let isSilent = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                // What was on its way may still come.
                for _ in 0..<100_000 where (try? await watch.next()) == nil { return false }
                return false
            }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(700))
                return true
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        #expect(isSilent)
        #expect(double.counters.openConnections == 1)
        #expect(try await client.get("/api/v1/pods").code == 200)
        await double.stop()
    }

    @Test func `the last answer of a connection says so`() async throws {
        let (double, client) = try await doubleWithPods([])
        double.faults.set(.lastAnswer, times: 1)
        #expect(try await client.get("/api/v1/pods").headers["connection"] == "close")
        #expect(try await client.get("/api/v1/pods").headers["connection"] == nil)
        await double.stop()
    }

    @Test func `an answer may come late or never`() async throws {
        let (double, client) = try await doubleWithPods([])
        double.faults.set(.delay(milliseconds: 300), times: 1)
        let begin = ContinuousClock.now
        #expect(try await client.get("/api/v1/pods").code == 200)
        #expect(ContinuousClock.now - begin >= .milliseconds(300))
        await double.stop()
    }
}
