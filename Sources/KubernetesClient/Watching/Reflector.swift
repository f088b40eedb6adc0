// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore

/// Lists and watches one kind for as long as its task lives.
///
/// A watch-list where the server has it, else pages and then a watch; at a watch's ordinary end the next one goes on from
/// the last version seen, bookmarks included; where that is forgotten, everything is listed again.
struct Reflector<Object: Sendable>: Sendable {
    typealias Reader = ObjectReader<Object>

    /// A watch is asked to end after so many seconds, and at random up to twice that.
    private static var watchSeconds: Int { 300 }
    /// A watch that ends sooner, and without a word, is no ordinary end.
    private static var watchShortest: Duration { .milliseconds(500) }

    let client: KubernetesClient
    let query: WatchQuery

    /// Runs until cancelled.
    func run(_ reader: Reader) async {
        var reader = reader
        var state = ReflectorState()
        while !Task.isCancelled {
            var failure = await follow(&state, &reader)
            guard !Task.isCancelled else { return }
            if failure?.kind == .notFound, await !client.lacks(query.kind) { failure?.kind = .busy }
            guard let failure else { continue }
            guard let pause = state.pause(after: failure, client.patience.absence, { reader.tell(.status($0)) }) else {
                continue
            }
            await client.pause(pause, after: failure)
            if failure.kind == .notFound { await waitUntilInstalled() }
        }
    }

    /// Waits as long as the server says that it has no such kind, which it is asked once for all kinds.
    private func waitUntilInstalled() async {
        while !Task.isCancelled, await client.lacks(query.kind) {
            try? await Task.sleep(for: client.patience.absence * Double.random(in: 0.8...1.2))
        }
    }

    /// One attempt; nil: the watch ended in order.
    private func follow(_ state: inout ReflectorState, _ reader: inout Reader) async -> KubernetesError? {
        do throws(KubernetesError) {
            if state.version == nil, !state.hasWatchList {
                let (objects, version) = try await list(reader)
                reader.take(objects)
                state.version = version
            }
            try await watch(&state, &reader)
            return nil
        } catch {
            // Who cannot stream a list says so in many ways; the same words about a watch are meant.
            if state.version == nil, state.hasWatchList, error.kind == .refused || error.status == 504 {
                state.hasWatchList = false
                return nil
            }
            return error
        }
    }

    /// All pages, of one version.
    private func list(
        _ reader: Reader
    ) async throws(KubernetesError) -> (objects: Reader.Collection, version: String) {
        var objects: Reader.Collection? = Reader.Collection()
        var next: String?
        var version: String?
        repeat {
            let page = try ListPage(await client.send("GET", query.list(next: next)), request: "list of \(query.kind)")
            let nameless = page.forEach { reader.add($0, to: &objects) }
            guard nameless == 0 else {
                throw KubernetesError(.malformed, "list of \(query.kind): \(nameless) of its objects have no name")
            }
            version = version ?? page.version
            next = page.next
        } while next != nil
        return (objects ?? Reader.Collection(), version ?? "")
    }

    private func watch(_ state: inout ReflectorState, _ reader: inout Reader) async throws(KubernetesError) {
        let seconds = Self.watchSeconds + Int.random(in: 0...Self.watchSeconds)
        let name = "watch of \(query.kind)"
        let begin = ContinuousClock.now
        let answer = try await client.open(
            "GET", query.watch(since: state.version, seconds: seconds), within: .seconds(seconds + 30))
        // Of a watch-list: what comes before the bookmark that ends it.
        var initial: Reader.Collection? = state.version == nil ? Reader.Collection() : nil
        if initial == nil { state.connected { reader.tell(.status($0)) } }
        var splitter = LineSplitter()
        var body = answer.response.body.makeAsyncIterator()
        var isEmpty = true
        while let chunk = try await next(&body, answer, name) {
            for line in try splitter.lines(chunk.readableBytesView) {
                isEmpty = false
                try apply(WatchEvent(line, request: name), &initial, &state, &reader)
            }
        }
        if let line = splitter.finish() { try apply(WatchEvent(line, request: name), &initial, &state, &reader) }
        guard initial == nil else {
            throw KubernetesError(.unreachable, "\(name): it ended before everything was told")
        }
        // Who ends every watch at once must not be asked as fast as it can answer.
        guard !isEmpty || ContinuousClock.now - begin >= Self.watchShortest else {
            throw KubernetesError(.unreachable, "\(name): it ended at once")
        }
    }

    private func next(
        _ body: inout HTTPClientResponse.Body.AsyncIterator, _ answer: OpenAnswer, _ name: String
    ) async throws(KubernetesError) -> ByteBuffer? {
        do {
            return try await body.next()
        } catch {
            if KubernetesClient.isSilence(error) { await client.abandon(answer.connections) }
            throw KubernetesError(.unreachable, "\(name): it broke off: \(error)")
        }
    }

    private func apply(
        _ event: WatchEvent, _ initial: inout Reader.Collection?, _ state: inout ReflectorState, _ reader: inout Reader
    ) throws(KubernetesError) {
        switch event {
        case .failed(var error):
            // Before everything was told it is the streaming itself that fails: an older store behind the server.
            if initial != nil, error.kind == .busy { error.kind = .refused }
            throw error
        case .unknown: break
        case .unreadable(let what):
            throw KubernetesError(.malformed, "watch of \(query.kind): \(what)")
        case .bookmark(let version, let endsInitial):
            guard let objects = initial else {
                state.note(version)
                return
            }
            // A server that knows bookmarks but no watch-list would go on like this for ever.
            guard endsInitial else {
                throw KubernetesError(.refused, "watch of \(query.kind): the server does not tell the end of the list")
            }
            reader.take(objects)
            initial = nil
            state.version = version
            state.connected { reader.tell(.status($0)) }
        case .set(let object):
            if initial == nil {
                reader.take(object)
                state.note(object.meta.resourceVersion)
            } else {
                reader.add(object, to: &initial)
            }
        case .removed(let object):
            if initial == nil {
                reader.take(removed: object.key)
                state.note(object.meta.resourceVersion)
            } else {
                reader.remove(object.key, from: &initial)
            }
        }
    }
}
