// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import Testing

struct WatchTests {
    @Test func `a watch tells what changes after its version, in order`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(double.store.version)")
        try double.store.apply(pod("b"))
        try double.store.apply(pod("a", labels: ["app": "web"]))
        double.store.remove(.pods, namespace: "default", name: "b")
        #expect(try await watch.nextEvent() == "ADDED b")
        #expect(try await watch.nextEvent() == "MODIFIED a")
        #expect(try await watch.nextEvent() == "DELETED b")
        #expect(double.counters.openWatches(of: .pods) == 1)
        await double.stop()
    }

    @Test func `version 1 replays everything that was never compacted`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b"])
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=1")
        #expect(try await watch.nextEvent() == "ADDED a")
        #expect(try await watch.nextEvent() == "ADDED b")
        await double.stop()
    }

    @Test func `initial events end with a marked bookmark`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b"])
        let watch = try await client.watch(
            "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
        #expect(try await watch.nextEvent() == "ADDED a")
        #expect(try await watch.nextEvent() == "ADDED b")
        let bookmark = try await watch.next()
        #expect(bookmark?["type"] == "BOOKMARK")
        #expect(bookmark?["object", "metadata", "annotations", "k8s.io/initial-events-end"] == "true")
        #expect(bookmark?["object", "metadata", "resourceVersion"]?.text == String(double.store.version))
        try double.store.apply(pod("c"))
        #expect(try await watch.nextEvent() == "ADDED c")
        await double.stop()
    }

    @Test func `initial events without the right match are invalid`() async throws {
        let (double, client) = try await doubleWithPods([])
        #expect(try await client.get("/api/v1/pods?watch=1&sendInitialEvents=true").code == 422)
        await double.stop()
    }

    @Test func `a version that was compacted away is an error in a stream that began well`() async throws {
        let (double, client) = try await doubleWithPods(["a", "b"])
        double.store.compact()
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=2")
        let event = try await watch.next()
        #expect(watch.code == 200)
        #expect(event?["type"] == "ERROR")
        #expect(event?["object", "code"] == 410)
        #expect(event?["object", "reason"] == "Expired")
        #expect(try await watch.next() == nil)
        #expect(watch.hasEnded)
        await double.stop()
    }

    @Test func `a watch ends cleanly at its timeout, after a bookmark`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let watch = try await client.watch(
            "/api/v1/pods?watch=1&resourceVersion=\(double.store.version)&allowWatchBookmarks=true&timeoutSeconds=1")
        #expect(try await watch.nextEvent() == "BOOKMARK")
        #expect(try await watch.next() == nil)
        #expect(watch.hasEnded)
        #expect(double.counters.openWatches() == 0)
        await double.stop()
    }

    @Test func `bookmarks bring versions that changes of other kinds made`() async throws {
        var options = DoubleOptions()
        options.bookmarkMilliseconds = 20
        let (double, client) = try await doubleWithPods(["a"], options: options)
        let version = double.store.version
        let watch = try await client.watch("/api/v1/pods?watch=1&resourceVersion=\(version)&allowWatchBookmarks=true")
        double.store.put(namespace: "other")
        var seen = ""
        while seen != String(version + 1) {
            seen = try #require(try await watch.next()?["object", "metadata", "resourceVersion"]?.text)
        }
        await double.stop()
    }

    @Test func `an object that begins or ceases to match is added or deleted`() async throws {
        let (double, client) = try await doubleWithPods(["a"])
        let watch = try await client.watch(
            "/api/v1/pods?watch=1&resourceVersion=\(double.store.version)&labelSelector=app%3Dweb")
        try double.store.apply(pod("a", labels: ["app": "web"]))
        try double.store.apply(pod("a", node: "n2", labels: ["app": "web"]))
        try double.store.apply(pod("a"))
        #expect(try await watch.nextEvent() == "ADDED a")
        #expect(try await watch.nextEvent() == "MODIFIED a")
        #expect(try await watch.nextEvent() == "DELETED a")
        await double.stop()
    }
}
