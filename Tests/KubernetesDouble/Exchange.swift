// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import Synchronization

/// The requests and answers of one connection.
struct Exchange: Sendable {
    let double: KubernetesDouble
    let channel: any Channel

    struct Asked: Sendable {
        var method: String
        var target: String
        var path: String
        var query: [String: String]
        var headers: HTTPHeaders
        var body: [UInt8]
    }

    func run(_ inbound: NIOAsyncChannelInboundStream<HTTPServerRequestPart>) async throws {
        var asked: Asked?
        for try await part in inbound {
            switch part {
            case .head(let head): asked = Asked(head)
            case .body(let buffer): asked?.body += Array(buffer.readableBytesView)
            case .end:
                guard let request = asked else { continue }
                try await answer(request)
            }
        }
    }

    private func answer(_ asked: Asked) async throws {
        if let refusal = refusal(of: asked) {
            try await send(asked, refusal.status, refusal.json.bytes, headers: refusal.headers)
            return
        }
        if double.faults.withLock({ $0.answersHTML }) {
            let page = Array("<html><body>Please log in</body></html>".utf8)
            try await send(asked, 200, page, headers: [("Content-Type", "text/html; charset=utf-8")])
            return
        }
        if let list = double.discovery(asked.path) {
            try await send(asked, 200, list.bytes)
            return
        }
        guard let place = Place(asked.path) else {
            let isHealth = ["/healthz", "/readyz", "/livez"].contains(asked.path)
            if asked.path == "/version" {
                try await send(asked, 200, JSON.object(["major": .string("1"), "minor": .string("36")]).bytes)
            } else if isHealth {
                try await send(asked, 200, Array("ok".utf8))
            } else {
                try await send(asked, .notFound("the server could not find the requested resource"))
            }
            return
        }
        guard double.kinds.withLock({ $0.contains(place.collection) }) else {
            try await send(asked, .notFound("the server could not find the requested resource"))
            return
        }
        if asked.method == "GET", asked.query["watch"] == "1" || asked.query["watch"] == "true" {
            try await WatchAnswer(exchange: self, asked: asked, place: place).run()
        } else {
            try await send(asked, CollectionAnswer(double: double, asked: asked, place: place).answer())
        }
    }

    private func refusal(of asked: Asked) -> (status: Int, json: JSON, headers: [(String, String)])? {
        let plural = Place(asked.path)?.collection.split(separator: "/").last.map(String.init) ?? ""
        return double.faults.withLock { faults in
            if let token = faults.token, asked.headers.first(name: "Authorization") != "Bearer \(token)" {
                return (401, Answer.status(401, "Unauthorized", "Unauthorized").json, [])
            }
            guard faults.failuresLeft ?? 1 > 0, let failure = faults.failures[plural] ?? faults.failures["*"] else {
                return nil
            }
            faults.failuresLeft = faults.failuresLeft.map { $0 - 1 }
            let answer = Answer.status(failure.status, failure.reason, "\(plural) fails: \(failure.reason)")
            return (failure.status, answer.json, failure.retryAfter.map { [("Retry-After", "\($0)")] } ?? [])
        }
    }

    // MARK: - Writing

    func send(_ asked: Asked, _ answer: Answer) async throws { try await send(asked, answer.status, answer.json.bytes) }

    func send(_ asked: Asked, _ status: Int, _ body: [UInt8], headers: [(String, String)] = []) async throws {
        double.note(.init(method: asked.method, target: asked.target, status: status))
        var all = HTTPHeaders(headers)
        if all.first(name: "Content-Type") == nil { all.add(name: "Content-Type", value: "application/json") }
        all.add(name: "Content-Length", value: "\(body.count)")
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: all)
        try await channel.writeAndFlush(HTTPServerResponsePart.head(head)).get()
        try await sendPieces(body)
        try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
    }

    func sendPieces(_ bytes: [UInt8]) async throws {
        let size = double.faults.withLock { $0.pieceBytes } ?? max(bytes.count, 1)
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])
            try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(piece))).get()
        }
    }
}

extension Exchange.Asked {
    init(_ head: HTTPRequestHead) {
        method = head.method.rawValue
        target = head.uri
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        path = String(parts.first ?? "")
        query = [:]
        for parameter in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let pair = parameter.split(separator: "=", maxSplits: 1).map { Self.decoded($0) }
            query[pair[0]] = pair.count > 1 ? pair[1] : ""
        }
        headers = head.headers
        body = []
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? 32 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What the selectors choose; of labels equality only.
    func selection(_ place: Place) -> Selection {
        func pairs(_ name: String) -> [(String, String)] {
            (query[name] ?? "").split(separator: ",").map { term in
                let parts = term.replacing("==", with: "=").split(separator: "=", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            }
        }
        return Selection(
            namespace: place.namespace, fields: pairs("fieldSelector").map { ($0.0, $0.1) },
            labels: pairs("labelSelector").map { ($0.0, $0.1) })
    }
}

/// An answer as a whole.
struct Answer: Sendable {
    var status: Int
    var json: JSON

    static func status(_ code: Int, _ reason: String, _ message: String, _ details: JSON? = nil) -> Answer {
        var object: [String: JSON] = [
            "kind": .string("Status"), "apiVersion": .string("v1"), "status": .string("Failure"),
            "reason": .string(reason), "message": .string(message), "code": .int(code), "metadata": .object([:]),
        ]
        object["details"] = details
        return Answer(status: code, json: .object(object))
    }

    static func notFound(_ message: String) -> Answer { .status(404, "NotFound", message) }
}
