// SPDX-License-Identifier: Apache-2.0

import AlertPipeline
import DetectionModel
import FoundationEssentials
import Glibc
import LinuxHost
import LocalHTTP
import NetworkModel
import Testing

@testable import AlertSinks

/// Notices about one scan, numbered from 1, the last one saying it is over.
func notices(
    _ count: Int, summary: String = "somebody scans", severity: Severity = .high
) throws -> [SinkNotice] {
    var pipeline = AlertPipeline()
    var finding = Finding(
        time: 0, since: 1, detector: "port-scan", severity: severity, technique: "T1046", summary: summary,
        evidence: [Evidence("distinct_ports", .number(1000)), Evidence("ports", .ports([22, 80]))])
    finding.source = IPAddress("192.0.2.1")
    finding.target = IPAddress("2001:db8::1")
    finding.port = 22
    finding.ipProtocol = .tcp
    _ = pipeline.consume([finding], now: 100, names: { $0.isIPv4 ? nil : "web" })
    var alert = try #require(pipeline.alerts[1])
    return try (1...count).map { number in
        let isLast = number == count && count > 1
        if isLast { alert.state = .closed }
        let notice = AlertNotice(number: number, kind: isLast ? .closed : .opened, time: 100, alert: alert)
        let record = AlertNoticeRecord(notice, host: "box") { "2026-01-01T00:00:00.\(100_000_000 + $0)Z" }
        return SinkNotice(line: Array(try JSONEncoder().encode(record)), record: record)
    }
}

/// A path for one test.
func scratchPath() -> String { "/tmp/bulkhead-sink-\(getpid())-\(UInt64.random(in: 0...UInt64.max))" }

@Suite struct FileSinkTests {
    @Test func `lines are added, also behind a rotation`() async throws {
        let path = scratchPath()
        defer { unsafe unlink(path) }
        let all = try notices(3)
        #expect(await FileSink(path: path).deliver(Array(all[..<2])).delivered == 2)
        #expect(try readTextFile(path).split(separator: "\n").count == 2)
        unsafe rename(path, path + ".1")
        defer { unsafe unlink(path + ".1") }
        #expect(await FileSink(path: path).deliver([all[2]]).failure == nil)
        let record = try JSONDecoder().decode(AlertNoticeRecord.self, from: Data(readFile(path)))
        #expect(record == all[2].record && record.alert.state == .closed)
    }

    @Test func `what is no regular file is a failure, not a hang`() async throws {
        let path = scratchPath()
        #expect(unsafe mkfifo(path, 0o600) == 0)
        defer { unsafe unlink(path) }
        let delivery = await FileSink(path: path).deliver(try notices(1))
        #expect(delivery.delivered == 0 && delivery.failure?.isRefusal == false)
        let link = scratchPath()
        #expect(unsafe symlink("/etc/hosts", link) == 0)
        defer { unsafe unlink(link) }
        #expect(await FileSink(path: link).deliver(try notices(1)).failure != nil)
        #expect(await FileSink(path: "/dev/full").deliver(try notices(1)).failure != nil)
    }
}

@Suite struct SyslogSinkTests {
    @Test func `a message is what RFC 5424 says`() throws {
        let sink = SyslogSink(place: .socket("/dev/log"), facility: 10, processID: 7)
        let notice = try notices(1, summary: "a \"quoted\"]\nline")[0]
        let text = String(decoding: sink.message(notice.record), as: UTF8.self)
        #expect(
            text
                == "<83>1 2026-01-01T00:00:00.100000Z box bulkhead 7 opened [bulkhead@32473 alert=\"1\" incident=\"1\" "
                + "state=\"open\" severity=\"high\" detector=\"port-scan\" technique=\"T1046\" source=\"192.0.2.1\" "
                + "target=\"2001:db8::1\" targetName=\"web\" port=\"22\" findings=\"1\"] \u{feff}a \"quoted\"] line")
    }

    @Test func `names cannot break out of their quotes, nor grow a message without end`() throws {
        let sink = SyslogSink(place: .socket("/dev/log"), processID: 7)
        var record = try notices(1)[0].record
        record.alert.targetName = "x\"] forged \\ \n<0>1"
        record.alert.summary = String(repeating: "é", count: 5000)
        record.host = "a b\u{1b}"
        let message = sink.message(record)
        let text = String(decoding: message, as: UTF8.self)
        #expect(text.contains("targetName=\"x\\\"\\] forged \\\\  <0>1\""))
        #expect(text.hasPrefix("<83>1 2026-01-01T00:00:00.100000Z ab bulkhead 7 "))
        #expect(!text.contains("\n") && message.count <= 2048)
        // Half an escape would escape the closing quote; a quote with an accent is a quote.
        record.alert.targetName = String(repeating: "a", count: 254) + "\"" + "b"
        #expect(String(decoding: sink.message(record), as: UTF8.self).contains("a\\\"\" port="))
        record.alert.targetName = "x\"\u{301}]"
        #expect(String(decoding: sink.message(record), as: UTF8.self).contains("=\"x\\\"\u{301}\\]\" port="))
    }

    @Test func `datagrams reach a Unix socket, and a socket without a reader is a failure`() async throws {
        let path = scratchPath()
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(receiver) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let bound = unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        defer { unsafe unlink(path) }
        let sink = SyslogSink(place: .socket(path))
        #expect(await sink.deliver(try notices(2)).delivered == 2)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(receiver, &buffer, buffer.count, 0)
        #expect(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).hasPrefix("<83>1 "))
        let absent = await SyslogSink(place: .socket(scratchPath())).deliver(try notices(1))
        #expect(absent.delivered == 0 && absent.failure?.description.contains("is it listening?") == true)
    }

    @Test(arguments: ["127.0.0.1", "::1"]) func `UDP reaches who listens, and notices who does not`(
        text: String
    ) async throws {
        let address = try #require(IPAddress(text))
        let receiver = try UDPReceiver(address)
        let sink = SyslogSink(place: .udp(address, port: receiver.port))
        #expect(await sink.deliver(try notices(1)).delivered == 1)
        #expect(receiver.receive().hasPrefix("<83>1 "))
        let port = receiver.port
        receiver.end()
        // The kernel's word that nobody listens may come after the sink has stopped waiting, on a machine under load.
        var failure: SinkError?
        for _ in 0..<20 where failure == nil {
            let delivery = await SyslogSink(place: .udp(address, port: port)).deliver(try notices(2))
            failure = delivery.failure
            #expect(delivery.delivered < 2 || failure == nil)
        }
        #expect(failure != nil)
    }
}

/// A UDP socket on loopback.
final class UDPReceiver {
    private let descriptor: Int32
    let port: UInt16

    init(_ address: IPAddress) throws {
        descriptor = socket(address.isIPv4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        var name = sockaddr_in6()
        var size = socklen_t(address.isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
        name.sin6_family = sa_family_t(address.isIPv4 ? AF_INET : AF_INET6)
        if address.isIPv4 {
            // As a sockaddr_in, whose address is where this one has its flow.
            name.sin6_flowinfo = address.v4Bits.bigEndian
        } else {
            name.sin6_addr = in6addr_loopback
        }
        let descriptor = self.descriptor
        let isBound = unsafe withUnsafeMutablePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        try #require(isBound)
        port = UInt16(bigEndian: name.sin6_port)
    }

    func receive() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    func end() { close(descriptor) }
}

@Suite struct CommandSinkTests {
    private func shell(_ script: String, limit: Duration = .seconds(10), parallel: Int = 2) -> CommandSink {
        CommandSink(arguments: ["sh", "-c", script], timeLimit: limit, parallel: parallel)
    }

    @Test func `a command gets the JSON on its input and no descriptor of ours`() async throws {
        let path = scratchPath()
        defer { unsafe unlink(path) }
        let notice = try notices(1)[0]
        let script =
            "cat > \(path); echo $BULKHEAD_ALERT $BULKHEAD_KIND >> \(path); ls /proc/self/fd | wc -l >> \(path)"
        #expect(await shell(script).deliver([notice]).failure == nil)
        let lines = try readTextFile(path).split(separator: "\n").map(String.init)
        #expect(lines.count == 3 && Array(lines[0].utf8) == notice.line && lines[1] == "1 opened")
        // Input, two outputs and the directory itself.
        #expect(lines[2] == "4")
    }

    @Test func `a command that fails is tried again, one that refuses is not`() async throws {
        let failed = await shell("exit 3").deliver(try notices(2))
        #expect(failed.delivered == 0 && failed.failure?.isRefusal == false)
        #expect(await shell("exit 65").deliver(try notices(1)).failure?.isRefusal == true)
        let second = await shell("test $BULKHEAD_NOTICE -ne 2").deliver(try notices(3))
        #expect(second.delivered == 1 && second.failure != nil)
        #expect(await shell("kill -9 $$").deliver(try notices(1)).failure?.description.contains("signal 9") == true)
        let absent = await CommandSink(arguments: ["/nonexistent/command"]).deliver(try notices(1))
        #expect(absent.failure?.description.contains("run /nonexistent/command") == true)
    }

    @Test func `a command that does not end is ended, with what it started`() async throws {
        let path = scratchPath()
        defer { unsafe unlink(path) }
        let delivery = await shell("sleep 86400 & echo $! > \(path); wait", limit: .milliseconds(500))
            .deliver(try notices(1))
        #expect(delivery.failure?.description.contains("took longer") == true)
        let child = try #require(Int32(try readTextFile(path).split(separator: "\n").first ?? ""))
        // It dies when its turn on a processor comes; nobody but init waits for it, and until that did it is a zombie.
        func isAlive() -> Bool {
            let status = (try? readTextFile("/proc/\(child)/stat")) ?? ""
            return !status.isEmpty && !status.contains(") Z ") && !status.contains(") X ")
        }
        while isAlive() { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func `so many commands run at once, and not more`() async throws {
        let path = scratchPath()
        defer { _ = unsafe system("rm -rf \(path)") }
        #expect(unsafe mkdir(path, 0o700) == 0)
        let script = "touch \(path)/$$; ls \(path) | wc -l >> \(path).n; sleep 0.3; rm \(path)/$$"
        defer { unsafe unlink("\(path).n") }
        #expect(await shell(script, parallel: 3).deliver(try notices(7)).delivered == 7)
        let seen = try readTextFile("\(path).n").split(separator: "\n").compactMap { Int($0) }
        #expect(seen.count == 7 && seen.max() ?? 0 <= 3 && seen.max() ?? 0 >= 2)
    }
}

@Suite struct AlertmanagerSinkTests {
    private var sink: AlertmanagerSink {
        get throws {
            AlertmanagerSink(
                place: try #require(HTTPPlace("http://127.0.0.1:9093/")), host: "box",
                timeAfter: { "2027-01-01T00:0\($0.components.seconds / 60):00Z" })
        }
    }

    @Test func `an alert is its labels, open for a while and closed when it was`() throws {
        let all = try notices(2).map(\.record.alert)
        let open = try sink.postable([all[0]])[0]
        #expect(
            open.labels == [
                "alertname": "port-scan", "alert": "1", "incident": "1", "host": "box", "severity": "high",
                "technique": "T1046", "source": "192.0.2.1", "target": "2001:db8::1", "target_name": "web",
                "port": "22",
            ])
        #expect(open.endsAt == "2027-01-01T00:04:00Z")
        #expect(open.annotations["evidence"] == "distinct_ports 1000, ports 22 80")
        let both = try sink.postable(all)
        #expect(both.count == 1 && both[0].endsAt == all[1].closedAt, "only the newest word about each")
    }
}

@Suite struct HTTPPlaceTests {
    @Test(arguments: [
        ("http://hook", "hook", 80, "/"), ("http://hook:9093", "hook", 9093, "/"),
        ("http://192.0.2.1:80/a/b?c=d", "192.0.2.1", 80, "/a/b?c=d"), ("HTTP://[::1]:8080/x", "::1", 8080, "/x"),
    ]) func `places are read`(text: String, host: String, port: Int, path: String) {
        let place = HTTPPlace(text)
        #expect(place?.host == host && place?.port == port && place?.path == path)
    }

    @Test(arguments: [
        "https://hook/", "hook:80", "http://", "http://hook:0/", "http://hook:99999/", "http://user:word@hook/",
        "http://hook/a b", "http://hook/\r\nX: y", "http://[::1/", "http://hook?x", "http://hook/#x",
        "http://hook:80x/",
    ]) func `what is no such place is refused`(text: String) {
        #expect(HTTPPlace(text) == nil)
    }
}
