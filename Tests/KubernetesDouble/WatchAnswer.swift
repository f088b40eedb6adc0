// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization

/// Answers a watch: a line for each event, until it is over.
struct WatchAnswer: Sendable {
    let exchange: Exchange
    let asked: Exchange.Asked
    let place: Place

    private var double: KubernetesDouble { exchange.double }
    private static let bookmarkInterval: Duration = .milliseconds(200)

    func run() async throws {
        let selection = asked.selection(place)
        let isWatchList = asked.query["sendInitialEvents"] == "true"
        if isWatchList, double.faults.withLock({ $0.refusesWatchList }) == .status {
            try await exchange.send(
                asked,
                .status(
                    422, "Invalid",
                    "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                ))
            return
        }
        double.note(.init(method: "GET", target: asked.target, status: 200))
        let headers = HTTPHeaders([("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        try await exchange.channel.writeAndFlush(HTTPServerResponsePart.head(head)).get()
        try await lines(selection, isWatchList: isWatchList)
        try await exchange.channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    }

    private func lines(_ selection: Selection, isWatchList: Bool) async throws {
        if let line = double.faults.withLock({ $0.firstLine }) {
            try await exchange.sendPieces(Array("\(line)\n".utf8))
        }
        if isWatchList, double.faults.withLock({ $0.refusesWatchList }) == .event {
            try await send(
                "ERROR", Answer.status(500, "InternalError", "watch-list is not supported by the storage").json)
            return
        }
        var version: Int
        if isWatchList {
            let (now, objects) = double.store.read { ($0.version, $0.objects[place.collection] ?? [:]) }
            for (key, object) in objects.sorted(by: { $0.key < $1.key })
            where selection.includes(object, namespace: String(key.prefix { $0 != "/" })) {
                try await send("ADDED", object)
            }
            version = now
            try await bookmark(version, endsInitial: true)
        } else {
            guard let number = Int(asked.query["resourceVersion"] ?? "") else {
                try await send("ERROR", Answer.status(400, "BadRequest", "resourceVersion: Invalid value").json)
                return
            }
            version = number
        }
        let (compacted, newest) = double.store.read { ($0.compacted, $0.version) }
        if version > newest {
            let answer = Answer.status(504, "Timeout", "Too large resource version: \(version), current: \(newest)")
            try await send("ERROR", answer.json)
            return
        }
        if version < compacted {
            try await send(
                "ERROR", Answer.status(410, "Expired", "too old resource version: \(version) (\(compacted))").json)
            return
        }
        try await follow(selection, from: version)
    }

    private func follow(_ selection: Selection, from start: Int) async throws {
        var version = start
        let begin = ContinuousClock.now
        let generation = double.generation.withLock { $0.ended }
        let asked = asked.query["timeoutSeconds"].flatMap { Int($0) } ?? 300
        var lastBookmark = begin
        while true {
            let faults = double.faults.withLock { $0 }
            let limit = Duration.seconds(faults.watchSeconds ?? asked)
            let isOver = ContinuousClock.now - begin >= limit || double.generation.withLock { $0.ended } != generation
            if isOver || !double.kinds.withLock({ $0.contains(place.collection) }) { return }
            if faults.isSilent {
                try await Task.sleep(for: .milliseconds(10))
                continue
            }
            if !faults.onlyBookmarks {
                let (events, newest) = double.store.read { content in
                    let newest = content.version - faults.lag
                    return (
                        content.events[place.collection]?.filter { $0.version > version && $0.version <= newest } ?? [],
                        newest
                    )
                }
                for event in events { try await send(event, selection) }
                version = max(version, newest)
            }
            if self.asked.query["allowWatchBookmarks"] == "true",
                ContinuousClock.now - lastBookmark > Self.bookmarkInterval
            {
                lastBookmark = .now
                try await bookmark(version, endsInitial: false)
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// What a selector includes comes, what it includes no more goes.
    private func send(_ event: ObjectStore.Event, _ selection: Selection) async throws {
        let was = event.former.map { selection.includes($0, namespace: event.namespace) } ?? false
        let isNow = event.type != "DELETED" && selection.includes(event.object, namespace: event.namespace)
        switch (was, isNow) {
        case (false, false): break
        case (false, true): try await send("ADDED", event.object)
        case (true, true): try await send("MODIFIED", event.object)
        case (true, false): try await send("DELETED", event.object)
        }
    }

    private func bookmark(_ version: Int, endsInitial: Bool) async throws {
        var meta: [String: JSON] = ["resourceVersion": .string("\(version)")]
        if endsInitial { meta["annotations"] = .object(["k8s.io/initial-events-end": .string("true")]) }
        try await send("BOOKMARK", .object(["metadata": .object(meta)]))
    }

    private func send(_ type: String, _ object: JSON) async throws {
        let line = JSON.object(["type": .string(type), "object": object]).bytes
        try await exchange.sendPieces(line + [UInt8(ascii: "\n")])
    }
}
