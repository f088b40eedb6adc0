// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2
import SwiftProtobuf

/// One call: what goes there and what comes back, message by message.
struct GRPCStream: Sendable {
    typealias Outbound = NIOAsyncChannelOutboundWriter<HTTP2Frame.FramePayload>
    typealias Inbound = NIOAsyncChannelInboundStream<HTTP2Frame.FramePayload>

    let outbound: Outbound
    let inbound: Inbound

    func send(_ message: some Message, isLast: Bool = false) async throws {
        let bytes: [UInt8] = try message.serializedBytes()
        try await outbound.write(
            .data(.init(data: .byteBuffer(GRPCFrames.frame(bytes)), endStream: isLast)))
    }

    /// Hands over every message until `body` says that it has enough, or the member ends the call.
    func forEach<Answer: Message>(_ type: Answer.Type, _ body: (Answer) async throws -> Bool) async throws {
        var frames = GRPCFrames()
        for try await frame in inbound {
            switch frame {
            case .headers(let headers): try GRPCStream.check(headers.headers)
            case .data(let part):
                guard case .byteBuffer(let bytes) = part.data else { continue }
                frames.append(bytes)
                while let message = try frames.next() {
                    guard try await body(GRPCStream.decode(message)) else { return }
                }
            default: continue
            }
        }
    }

    private static func decode<Answer: Message>(_ bytes: [UInt8]) throws(StoreError) -> Answer {
        do {
            return try Answer(serializedBytes: bytes)
        } catch {
            throw StoreError(.protocolViolation, "a member sent what is no message of etcd")
        }
    }

    /// Headers come first, and again at the end with the status.
    private static func check(_ headers: HPACKHeaders) throws(StoreError) {
        if let status = headers.first(name: ":status"), status != "200" {
            throw StoreError(
                .protocolViolation, "it answers with HTTP status \(status): no etcd member, or a proxy before it")
        }
        guard let text = headers.first(name: "grpc-status"), text != "0" else { return }
        let message = headers.first(name: "grpc-message").map(percentDecoded) ?? "status \(text)"
        throw StoreError.status(Int(text) ?? 2, message)
    }

    private static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
