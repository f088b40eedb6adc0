// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks an HTTP/1.1 server behind a Unix socket, or behind a TCP port; one connection for each request.
package struct LocalHTTPClient: Sendable {
    /// A whole answer.
    package struct Answer: Sendable {
        package let status: Int
        package let body: [UInt8]
    }

    /// The socket's path, or `HOST:PORT`.
    package let socketPath: String
    /// Nil: a Unix socket.
    private let internet: (host: String, port: Int)?
    /// For `request`: until the whole answer is there; for `open`: until its head is there.
    package var timeout: Duration
    /// An answer longer than this is an error, not a memory problem.
    package var bodyBytesMax: Int

    /// Makes a client; nothing is opened yet.
    package init(socketPath: String, timeout: Duration = .seconds(10), bodyBytesMax: Int = 64 << 20) {
        self.socketPath = socketPath
        self.internet = nil
        self.timeout = timeout
        self.bodyBytesMax = bodyBytesMax
    }

    /// Makes a client of a server on the network; `host` is a name or an address.
    package init(host: String, port: Int, timeout: Duration = .seconds(10), bodyBytesMax: Int = 64 << 20) {
        self.socketPath = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        self.internet = (host, port)
        self.timeout = timeout
        self.bodyBytesMax = bodyBytesMax
    }

    /// Sends a request and waits for the whole answer.
    /// - Parameter target: path and query, percent-encoded.
    /// - Returns: any status; judging it is the caller's.
    /// - Throws: `LocalHTTPError`.
    package func request(
        _ method: String, _ target: String, body: [UInt8] = [], contentType: String? = nil
    ) async throws -> Answer {
        let reader = try await send(method, target, body: body, contentType: contentType)
        let timer = reader.startTimer(timeout)
        defer {
            timer.cancel()
            reader.close()
        }
        let status = try await reader.head()
        var bytes: [UInt8] = []
        while let chunk = try await reader.nextChunk() {
            guard bytes.count + chunk.count <= bodyBytesMax else {
                throw LocalHTTPError(
                    .tooLarge, socketPath: socketPath,
                    reason: "the answer to \(method) \(target) is longer than \(bodyBytesMax) bytes")
            }
            bytes += chunk
        }
        return Answer(status: status, body: bytes)
    }

    /// Sends a request and returns as soon as the head of the answer is there; the body comes as it is asked for.
    /// - Throws: `LocalHTTPError`.
    package func open(
        _ method: String, _ target: String, body: [UInt8] = [], contentType: String? = nil
    ) async throws -> StreamedAnswer {
        let reader = try await send(method, target, body: body, contentType: contentType)
        let timer = reader.startTimer(timeout)
        defer { timer.cancel() }
        do {
            return StreamedAnswer(status: try await reader.head(), chunks: ByteChunks(lease: ReaderLease(reader)))
        } catch {
            reader.close()
            throw error
        }
    }

    private func send(
        _ method: String, _ target: String, body: [UInt8], contentType: String?
    ) async throws -> ResponseReader {
        let reader = ResponseReader(socketPath: socketPath)
        let limit = timeout
        let channel: any Channel
        do {
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(TimeAmount(limit))
                // Reading only what the consumer asks for is the back-pressure.
                .channelOption(.autoRead, value: false)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(ResponseHandler(reader))
                    }
                }
            if let internet {
                channel = try await bootstrap.connect(host: internet.host, port: internet.port).get()
            } else {
                channel = try await bootstrap.connect(unixDomainSocketPath: socketPath).get()
            }
        } catch {
            throw LocalHTTPError.connecting(error, socketPath: socketPath)
        }
        reader.attach(channel)
        // A host name is required by the protocol and means nothing to a Unix socket.
        var headers = HTTPHeaders([("Host", internet == nil ? "localhost" : socketPath), ("Connection", "close")])
        if let contentType { headers.add(name: "Content-Type", value: contentType) }
        if !body.isEmpty || method != "GET" { headers.add(name: "Content-Length", value: String(body.count)) }
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method), uri: target, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        // A failed write shows as a connection that closes before the answer is complete.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return reader
    }
}

/// An answer whose body is read as it comes.
package struct StreamedAnswer: Sendable {
    package let status: Int
    package let chunks: ByteChunks

    /// The body, line by line.
    package var lines: ByteLines { ByteLines(chunks: chunks) }
}
