// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Carries netlink datagrams; the seam between the kernel and what is tested without it.
protocol NetlinkTransport: AnyObject {
    /// Sends one datagram to the kernel.
    func send(_ datagram: [UInt8]) throws(HostError)
    /// Waits for the next datagram.
    /// - Throws: `ENOBUFS` if the kernel had to drop notifications because nobody read them in time.
    func receive() throws(HostError) -> [UInt8]
}

/// The real transport: an rtnetlink socket of the namespace its creating thread was in.
final class NetlinkSocket: NetlinkTransport {
    /// The kernel never sends more in one datagram of a dump.
    private static let datagramBytesMax = 65_536

    let descriptor: OwnedDescriptor
    /// Made when first needed: a socket that only tells *that* something changed stays small.
    private lazy var buffer = [UInt8](repeating: 0, count: NetlinkSocket.datagramBytesMax)

    /// - Parameter groups: `RTMGRP_*` bits of the notifications wanted; none for requests only.
    init(groups: UInt32 = 0, receiveBufferBytes: Int32 = 0) throws(HostError) {
        let number = bulkhead_netlink_open(groups, receiveBufferBytes)
        guard number >= 0 else { throw HostError.last("open an rtnetlink socket") }
        descriptor = OwnedDescriptor(adopting: number)
    }

    func send(_ datagram: [UInt8]) throws(HostError) {
        guard unsafe Glibc.send(descriptor.rawValue, datagram, datagram.count, 0) == datagram.count else {
            throw HostError.last("send an rtnetlink request")
        }
    }

    func receive() throws(HostError) -> [UInt8] {
        while true {
            // MSG_TRUNC makes the kernel return the whole length also where it did not fit.
            let count = unsafe recv(descriptor.rawValue, &buffer, buffer.count, Int32(MSG_TRUNC))
            if count < 0 {
                if errno == EINTR { continue }
                throw HostError.last("read from rtnetlink")
            }
            guard count <= buffer.count else {
                throw HostError("read an rtnetlink datagram of \(count) bytes", code: EMSGSIZE)
            }
            return Array(buffer[..<count])
        }
    }

    /// Throws away what waits to be read, lost notifications included.
    func drain() {
        var byte: UInt8 = 0
        repeat {
            errno = 0
            // What does not fit into the buffer goes with the datagram.
        } while unsafe recv(descriptor.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) > 0
            || errno == EINTR || errno == ENOBUFS
    }
}
