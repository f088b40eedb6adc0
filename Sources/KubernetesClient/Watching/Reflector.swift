// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore

/// Lists and watches one kind for as long as its task lives.
///
/// A watch-list where the server has it, else pages and then a watch; at a watch's ordinary end the next one goes on from
/// the last version seen, bookmarks included; where that is forgotten, everything is listed again.
struct Reflector: Sendable {
    enum Step: Sendable {
        /// All there are.
        case all([RawObject])
        case set(RawObject)
        case removed(ObjectKey)
        case status(InformerStatus)
    }

    /// A watch is asked to end after so many seconds, and at random up to twice that.
    private static let watchSeconds = 300

    let client: KubernetesClient
    let query: WatchQuery

    /// Runs until cancelled.
    func run(_ take: (Step) -> Void) async {
        var state = State()
        while !Task.isCancelled {
            let failure = await follow(&state, take)
            guard !Task.isCancelled else { return }
            guard let failure else { continue }
            guard let pause = state.pause(after: failure, client.patience.absence, take) else { continue }
            try? await Task.sleep(for: pause)
        }
    }

    /// What one attempt leaves for the next.
    struct State {
        /// Where to go on from; nil: everything is to be listed.
        var version: String?
        var hasWatchList = true
        var backoff = Backoff()
        var isConnected = false
        /// Lists in a row that were too old as soon as they were there.
        var staleLists = 0

        /// How long to wait; nil: not at all.
        mutating func pause(
            after failure: KubernetesError, _ absence: Duration, _ take: (Step) -> Void
        ) -> Duration? {
            switch failure.kind {
            case .expired:
                version = nil
                staleLists += 1
                // The version is too old, which is nobody's failure; again and again it is.
                if staleLists < 3 { return nil }
            case .forbidden:
                isConnected = false
                take(.status(.forbidden(failure.message)))
                return absence
            case .notFound:
                (isConnected, version) = (false, nil)
                take(.status(.notInstalled(failure.message)))
                return absence
            // What was told is not to be relied on as the place to go on from: a server that was set back may never get there.
            case .malformed: version = nil
            default: if failure.status == 504 { version = nil }
            }
            isConnected = false
            take(.status(.retrying(failure.message)))
            return backoff.wait(retryAfter: failure.retryAfter)
        }

        mutating func connected(_ take: (Step) -> Void) {
            backoff.reset()
            guard !isConnected else { return }
            isConnected = true
            take(.status(.connected))
        }
    }

    /// One attempt; nil: the watch ended in order.
    private func follow(_ state: inout State, _ take: (Step) -> Void) async -> KubernetesError? {
        do throws(KubernetesError) {
            if state.version == nil, !state.hasWatchList {
                let (objects, version) = try await list()
                take(.all(objects))
                state.version = version
            }
            try await watch(&state, take)
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
    private func list() async throws(KubernetesError) -> (objects: [RawObject], version: String) {
        var objects: [RawObject] = []
        var next: String?
        var version: String?
        repeat {
            let page = try ListPage(await client.send("GET", query.list(next: next)), request: "list of \(query.kind)")
            guard page.unreadable == 0 else {
                throw KubernetesError(
                    .malformed, "list of \(query.kind): \(page.unreadable) of its objects have no name")
            }
            objects += page.items
            version = version ?? page.version
            next = page.next
        } while next != nil
        return (objects, version ?? "")
    }

    private func watch(_ state: inout State, _ take: (Step) -> Void) async throws(KubernetesError) {
        let seconds = Self.watchSeconds + Int.random(in: 0...Self.watchSeconds)
        let name = "watch of \(query.kind)"
        let response = try await client.open(
            "GET", query.watch(since: state.version, seconds: seconds), within: .seconds(seconds + 30))
        // Of a watch-list: what comes before the bookmark that ends it.
        var initial: [ObjectKey: RawObject]? = state.version == nil ? [:] : nil
        if initial == nil { state.connected(take) }
        var splitter = LineSplitter()
        var body = response.body.makeAsyncIterator()
        while let chunk = try await next(&body, name) {
            for line in try splitter.lines(chunk.readableBytesView) {
                try apply(WatchEvent(line, request: name), &initial, &state, take)
            }
        }
        if let line = splitter.finish() { try apply(WatchEvent(line, request: name), &initial, &state, take) }
        guard initial == nil else {
            throw KubernetesError(.unreachable, "\(name): it ended before everything was told")
        }
    }

    private func next(
        _ body: inout HTTPClientResponse.Body.AsyncIterator, _ name: String
    ) async throws(KubernetesError) -> ByteBuffer? {
        do {
            return try await body.next()
        } catch {
            throw KubernetesError(.unreachable, "\(name): it broke off: \(error)")
        }
    }

    private func apply(
        _ event: WatchEvent, _ initial: inout [ObjectKey: RawObject]?, _ state: inout State, _ take: (Step) -> Void
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
                state.version = version
                state.staleLists = 0
                return
            }
            guard endsInitial else { return }
            take(.all(Array(objects.values)))
            initial = nil
            state.version = version
            state.connected(take)
        case .set(let object):
            if initial != nil {
                initial?[object.key] = object
            } else {
                take(.set(object))
                note(object, &state)
            }
        case .removed(let object):
            if initial != nil {
                initial?[object.key] = nil
            } else {
                take(.removed(object.key))
                note(object, &state)
            }
        }
    }

    private func note(_ object: RawObject, _ state: inout State) {
        state.staleLists = 0
        if let version = object.meta.resourceVersion { state.version = version }
    }
}
