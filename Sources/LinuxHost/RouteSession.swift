// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Asks one namespace's kernel about links, addresses and neighbours.
///
/// Use from one thread.
package final class RouteSession {
    /// A dump that the table changed under is repeated this often before it is given up.
    private static let dumpAttemptsMax = 10

    private let transport: any NetlinkTransport
    private var sequence: UInt32 = 0

    init(_ transport: any NetlinkTransport) { self.transport = transport }

    /// Opens a session with the namespace the calling thread is in.
    package convenience init() throws(HostError) { self.init(try NetlinkSocket()) }

    /// All links: `ip -details link`.
    package func links() throws(HostError) -> [NetworkLink] {
        try dump(RTM_GETLINK, Self.linkRequest, "links").compactMap(NetworkLink.init)
    }

    private static var linkRequest: [UInt8] {
        var request = [UInt8](repeating: 0, count: 16)  // struct ifinfomsg, AF_UNSPEC
        request.appendAttribute(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
        return request
    }

    /// All IPv4 and IPv6 addresses: `ip address`.
    package func addresses() throws(HostError) -> [InterfaceAddress] {
        try dump(RTM_GETADDR, [UInt8](repeating: 0, count: 8), "addresses").compactMap(InterfaceAddress.init)
    }

    /// The ARP and ND tables: `ip neighbour`.
    package func neighbours() throws(HostError) -> [NeighbourEntry] {
        try dump(RTM_GETNEIGH, [UInt8](repeating: 0, count: 12), "neighbours").compactMap(NeighbourEntry.init)
    }

    /// Links and addresses together.
    package func snapshot() throws(HostError) -> NetworkSnapshot {
        NetworkSnapshot(links: try links(), addresses: try addresses())
    }

    /// Links and addresses as far as they can be read: false if a table changed faster than that.
    package func snapshotAnyway() throws(HostError) -> (snapshot: NetworkSnapshot, isConsistent: Bool) {
        let links = try dumpAnyway(RTM_GETLINK, Self.linkRequest, "links")
        let addresses = try dumpAnyway(RTM_GETADDR, [UInt8](repeating: 0, count: 8), "addresses")
        let snapshot = NetworkSnapshot(
            links: links.messages.compactMap(NetworkLink.init),
            addresses: addresses.messages.compactMap(InterfaceAddress.init))
        return (snapshot, links.isConsistent && addresses.isConsistent)
    }

    /// This namespace's number for another one, opened as `descriptor`: what `NetworkLink.peerNamespaceID` holds.
    /// - Returns: nil if the kernel has given none yet: then no link leads there.
    package func namespaceID(of descriptor: Int32) throws(HostError) -> Int32? {
        var request: [UInt8] = [0, 0, 0, 0]  // struct rtgenmsg, padded
        request.appendAttribute(Int(NETNSA_FD), UInt32(bitPattern: descriptor))
        let replies = try exchange(RTM_GETNSID, flags: 0, request, "the namespace number").messages
        for message in replies where Int(message.type) == RTM_NEWNSID {
            for (type, value) in NetlinkAttributes(message.payload.dropFirst(4)) where type == Int(NETNSA_NSID) {
                let number = Int32(bitPattern: value.read32(at: 0))
                return number == NETNSA_NSID_NOT_ASSIGNED ? nil : number
            }
        }
        return nil
    }

    private func dump(_ type: Int, _ payload: [UInt8], _ what: String) throws(HostError) -> [NetlinkMessage] {
        let (messages, isConsistent) = try dumpAnyway(type, payload, what)
        guard isConsistent else {
            throw HostError("list \(what)", code: EAGAIN, remedy: "the table changes faster than it can be read")
        }
        return messages
    }

    /// Lists what is there; false if the table changed meanwhile, each time it was tried.
    func dumpAnyway(
        _ type: Int, _ payload: [UInt8], _ what: String
    ) throws(HostError) -> (messages: [NetlinkMessage], isConsistent: Bool) {
        for _ in 1..<Self.dumpAttemptsMax {
            let answer = try exchange(type, flags: NLM_F_DUMP, payload, what)
            if answer.isConsistent { return answer }
        }
        return try exchange(type, flags: NLM_F_DUMP, payload, what)
    }

    /// Sends a request and collects the answers: until NLMSG_DONE of a dump, else the first message.
    private func exchange(
        _ type: Int, flags: Int32, _ payload: [UInt8], _ what: String
    ) throws(HostError) -> (messages: [NetlinkMessage], isConsistent: Bool) {
        sequence &+= 1
        try transport.send(
            NetlinkMessage.request(type: type, flags: flags, sequence: sequence, payload: payload))
        var messages: [NetlinkMessage] = []
        var isConsistent = true
        while true {
            // An answer to an earlier, abandoned request may still be queued: told apart by the sequence number.
            for message in try NetlinkMessage.split(transport.receive()) where message.sequence == sequence {
                // The kernel saw the table change between two parts of the dump.
                if Int32(message.flags) & NLM_F_DUMP_INTR != 0 { isConsistent = false }
                switch Int32(message.type) {
                case NLMSG_DONE: return (messages, isConsistent)
                case NLMSG_ERROR:
                    let code = Int32(bitPattern: message.payload.read32(at: 0))
                    guard code == 0 else { throw HostError("list \(what)", code: -code) }
                    return (messages, isConsistent)
                default:
                    messages.append(message)
                    if flags & NLM_F_DUMP == 0 { return (messages, isConsistent) }
                }
            }
        }
    }
}
