// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CLinuxShim
import Glibc

/// The smoke test's network: this namespace as the host, one workload namespace behind a link, a server on two ports.
struct SmokeBed {
    static let workload4 = "10.219.7.2"
    static let workload6 = "fdbb:219:7::2"
    static let workloadMAC = "02:00:0a:db:07:02"
    static let openPort: UInt16 = 8080
    static let closedPort: UInt16 = 9090
    private let name = "bhsmoke"

    var ifindex: UInt32 { unsafe if_nametoindex("\(name)0") }

    func build() throws {
        remove()
        try run("/sbin/ip netns add \(name)")
        try run("/sbin/ip link add \(name)0 type veth peer name \(name)1 netns \(name) address \(Self.workloadMAC)")
        try run("/sbin/ip addr add 10.219.7.1/24 dev \(name)0 && /sbin/ip link set \(name)0 up")
        try run("/sbin/ip -6 addr add fdbb:219:7::1/64 dev \(name)0 nodad")
        try run(
            "/sbin/ip -n \(name) addr add \(Self.workload4)/24 dev \(name)1 && /sbin/ip -n \(name) link set \(name)1 up"
        )
        try run(
            "/sbin/ip -n \(name) -6 addr add \(Self.workload6)/64 dev \(name)1 nodad && /sbin/ip -n \(name) link set lo up"
        )
        try run("mkdir -p /run/\(name) && echo works > /run/\(name)/index.html")
        for port in [Self.openPort, Self.closedPort] {
            // One server for both families, ended with its namespace.
            try run("/sbin/ip netns exec \(name) busybox httpd -f -p '[::]:\(port)' -h /run/\(name) >/dev/null 2>&1 &")
        }
        try run("sleep 1")
    }

    func remove() {
        try? run(
            "for p in $(/sbin/ip netns pids \(name) 2>/dev/null); do kill $p; done; /sbin/ip netns del \(name) 2>/dev/null; true"
        )
        try? run("/sbin/ip link del \(name)0 2>/dev/null; rm -rf /run/\(name)")
    }

    /// True if a TCP connection stands within two seconds.
    func connects(to address: String, port: UInt16) -> Bool {
        let isIPv6 = address.contains(":")
        let descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        if isIPv6 {
            var to = sockaddr_in6()
            to.sin6_family = sa_family_t(AF_INET6)
            to.sin6_port = port.bigEndian
            unsafe inet_pton(AF_INET6, address, &to.sin6_addr)
            return unsafe connect(descriptor, to: &to)
        }
        var to = sockaddr_in()
        to.sin_family = sa_family_t(AF_INET)
        to.sin_port = port.bigEndian
        unsafe inet_pton(AF_INET, address, &to.sin_addr)
        return unsafe connect(descriptor, to: &to)
    }

    private func connect<Address>(_ descriptor: Int32, to address: UnsafePointer<Address>) -> Bool {
        unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            unsafe Glibc.connect(descriptor, generic, socklen_t(MemoryLayout<Address>.size)) == 0
        }
    }

    func pings(_ address: String) -> Bool {
        (try? run("busybox ping -c 1 -W 1 \(address) >/dev/null 2>&1")) != nil
    }

    /// Runs in the workload's namespace.
    func inside<Value>(_ body: () throws -> Value) throws -> Value {
        let own = FileDescriptor(owning: unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
        let other = FileDescriptor(owning: unsafe open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC))
        guard own.rawValue >= 0, bulkhead_enter_network_namespace(other.rawValue) == 0 else {
            throw SmokeFailure(reason: "cannot enter the namespace \(name)")
        }
        defer { precondition(bulkhead_enter_network_namespace(own.rawValue) == 0, "the way back is open") }
        return try body()
    }

    func runInside(_ command: String) throws { try run("/sbin/ip netns exec \(name) " + command) }

    /// A packet socket on this side of the link.
    func packetSocket() throws -> FileDescriptor {
        let descriptor = socket(17, Int32(SOCK_RAW.rawValue), 0)  // AF_PACKET
        guard descriptor >= 0 else { throw SmokeFailure(reason: "no packet socket: errno \(errno)") }
        let socket = FileDescriptor(owning: descriptor)
        // struct sockaddr_ll: family, protocol, index; the rest is for receivers.
        var address = [UInt8](repeating: 0, count: 20)
        address[0] = 17
        for byte in 0..<4 { address[4 + byte] = UInt8(truncatingIfNeeded: ifindex >> UInt32(8 * byte)) }
        let bound = unsafe address.withUnsafeBytes { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                unsafe pointer.baseAddress.map { unsafe bind(socket.rawValue, $0, 20) } ?? -1
            }
        }
        guard bound == 0 else { throw SmokeFailure(reason: "cannot send frames: errno \(errno)") }
        return socket
    }

    private func run(_ command: String) throws {
        let status = unsafe system(command)
        guard status == 0 else { throw SmokeFailure(reason: "'\(command)' ended with status \(status >> 8)") }
    }
}
