// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import DetectionModel
import Glibc
import LinuxHost
package import NetworkModel

/// Sends RFC 5424 messages to a syslog daemon: by a Unix datagram socket, or by UDP (RFC 5426).
package struct SyslogSink: AlertSink {
    package enum Place: Hashable, Sendable, CustomStringConvertible {
        /// Mostly `/dev/log`.
        case socket(String)
        case udp(IPAddress, port: UInt16)

        package var description: String {
            switch self {
            case .socket(let path): path
            case .udp(let address, let port): address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
            }
        }
    }

    package let place: Place
    /// 0...23; 4 is `auth`, 10 `authpriv`, 16...23 `local0`...`local7`.
    package let facility: Int
    let processID: Int32

    package init(place: Place, facility: Int = 10, processID: Int32 = getpid()) {
        self.place = place
        self.facility = facility
        self.processID = processID
    }

    package func deliver(_ notices: [SinkNotice]) async -> SinkDelivery {
        do {
            let place = self.place
            let messages = notices.map { message($0.record) }
            let sent = try await DedicatedThread.run(name: "alert-syslog") { try SyslogSink.send(messages, to: place) }
            return SinkDelivery(delivered: sent.count, failure: sent.failure)
        } catch {
            return SinkDelivery(delivered: 0, failure: error as? SinkError ?? SinkError("\(error)"))
        }
    }

    // MARK: - Message

    /// `<PRI>1 TIME HOST bulkhead PID KIND [bulkhead@32473 …] summary`; never longer than a datagram that all take.
    func message(_ record: AlertNoticeRecord) -> [UInt8] {
        let alert = record.alert
        var parameters: [(String, String)] = [
            ("alert", "\(alert.id)"), ("incident", "\(alert.incident)"), ("state", alert.state.rawValue),
            ("severity", "\(alert.severity)"), ("detector", alert.detector), ("technique", alert.technique),
        ]
        if let source = alert.source { parameters.append(("source", source)) }
        if let name = alert.sourceName { parameters.append(("sourceName", name)) }
        if let target = alert.target { parameters.append(("target", target)) }
        if let name = alert.targetName { parameters.append(("targetName", name)) }
        if let port = alert.port { parameters.append(("port", "\(port)")) }
        parameters.append(("findings", "\(alert.findings)"))
        let data = parameters.map { " \($0.0)=\"\(SyslogSink.escaped($0.1))\"" }.joined()
        let priority = facility * 8 + SyslogSink.level(alert.severity, record.kind)
        // RFC 5424 allows six digits of a fraction.
        let time = record.time.replacing(#/(\.\d{6})\d+Z$/#) { "\($0.1)Z" }
        let head = "<\(priority)>1 \(time) \(SyslogSink.printable(record.host, 255)) bulkhead \(processID) "
        let text = head + "\(record.kind.rawValue) [bulkhead@32473\(data)] \u{feff}\(SyslogSink.oneLine(alert.summary))"
        return Array(AlertEvidence.cut(text, bytes: 2048).utf8)
    }

    private static func level(_ severity: Severity, _ kind: AlertNotice.Kind) -> Int {
        if kind == .closed || kind == .acknowledged { return 5 }
        return switch severity {
        case .info: 6
        case .low: 5
        case .medium: 4
        case .high: 3
        case .critical: 2
        }
    }

    /// A value between quotes: backslash, quote and bracket are escaped, and nothing ends the line.
    private static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        // Cut before it is escaped: half an escape would take the closing quote along. By scalars: a quote with an accent is one.
        for scalar in AlertEvidence.cut(oneLine(text), bytes: 255).unicodeScalars {
            if scalar == "\\" || scalar == "\"" || scalar == "]" { result.append("\\") }
            result.append(scalar)
        }
        return String(result)
    }

    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
    }

    /// A field of the header: printable ASCII without blanks, `-` for nothing.
    private static func printable(_ text: String, _ longest: Int) -> String {
        let field = String(text.prefix(longest).filter { $0.isASCII && $0 > " " && $0 < "\u{7f}" })
        return field.isEmpty ? "-" : field
    }

    // MARK: - Socket

    private static func send(_ messages: [[UInt8]], to place: Place) throws(SinkError) -> (
        count: Int, failure: SinkError?
    ) {
        let descriptor = try connected(to: place)
        defer { close(descriptor) }
        for (index, message) in messages.enumerated() {
            let count = unsafe message.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count == message.count else { return (index, failure(place)) }
        }
        guard case .udp = place else { return (messages.count, nil) }
        // What nobody listens for comes back as an ICMP error, a moment later; otherwise UDP tells nothing.
        var poll = pollfd(fd: descriptor, events: 0, revents: 0)
        if unsafe Glibc.poll(&poll, 1, 200) > 0, Int32(poll.revents) & POLLERR != 0 {
            var (code, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
            unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
            return (0, SinkError("cannot send to syslog at \(place): \(errnoText(code)); is it listening?"))
        }
        return (messages.count, nil)
    }

    private static func failure(_ place: Place) -> SinkError {
        SinkError("cannot send to syslog at \(place): \(errnoText(errno)); is it listening?")
    }

    private static func connected(to place: Place) throws(SinkError) -> Int32 {
        let family =
            switch place {
            case .socket: AF_UNIX
            case .udp(let address, _): address.isIPv4 ? AF_INET : AF_INET6
            }
        let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(place) }
        // A daemon that does not read stops a sender for ever.
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard connect(descriptor, to: place) == 0 else {
            let error = failure(place)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func connect(_ descriptor: Int32, to place: Place) -> Int32 {
        switch place {
        case .socket(let path):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else {
                errno = ENAMETOOLONG
                return -1
            }
            unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: bytes) }
            return connect(descriptor, &name)
        case .udp(let address, let port) where address.isIPv4:
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = address.v4Bits.bigEndian
            return connect(descriptor, &name)
        case .udp(let address, let port):
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { field in
                unsafe field.storeBytes(of: address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
                unsafe field.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return connect(descriptor, &name)
        }
    }

    private static func connect<Name>(_ descriptor: Int32, _ name: inout Name) -> Int32 {
        unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }
}
