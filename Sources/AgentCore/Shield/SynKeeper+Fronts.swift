// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import LinuxHost

/// Where SYNs are answered ahead of the listener's namespace, and what is behind which device.
extension SynKeeper {
    /// Tells the kernel the fronts and the ways; XDP first, so that nothing is answered by nobody.
    func followFronts(_ links: [NetworkLink], _ places: [UInt32: KnownPlace]) throws {
        var fronts: [SynFront] = []
        var ways: Set<SynWay> = []
        let byNumber = Dictionary(links.map { (UInt32($0.index), $0) }) { first, _ in first }
        for (number, place) in places where place.report.problem == nil {
            guard let link = byNumber[number], let space = place.space else { continue }
            if place.report.isWorkload {
                ways.insert(SynWay(device: number, namespace: space))
                // Routes end at the bridge.
                if let bridge = link.master { ways.insert(SynWay(device: UInt32(bridge), namespace: space)) }
            } else {
                ways.insert(SynWay(device: 0, namespace: space))
                guard let hook = hook(on: link, links) else { continue }
                fronts.append(SynFront(interface: number, hardwareAddress: link.hardwareAddress, hook: hook))
            }
        }
        try defence.configure(fronts: fronts, ways: ways)
        for (number, place) in places where !place.report.isWorkload {
            noteFront(fronts.first { $0.interface == number }?.hook, number)
        }
    }

    private func hook(on link: NetworkLink, _ links: [NetworkLink]) -> SynFrontHook? {
        let wanted = configuration.synDefence.front
        guard wanted != .off, defence.hasOwnCookies else { return nil }
        let number = UInt32(link.index)
        guard wanted == .xdp || (wanted == .auto && SynKeeper.sendsBack(link, links)) else {
            note("front \(number)", nil)
            return .tcx
        }
        let problem = defence.attachFrames(to: number)
        note(
            "front \(number)",
            wanted == .xdp ? problem.map { "\(link.name): SYNs are answered at tcx, not in XDP: \($0)" } : nil)
        return problem == nil ? .xdp : .tcx
    }

    /// Hardware does what XDP says, and tells it all: a tag of a VLAN that the card took off would be lost in an answer.
    private static func sendsBack(_ link: NetworkLink, _ links: [NetworkLink]) -> Bool {
        link.kind == nil && link.master == nil
            && !links.contains { $0.kind == "vlan" && $0.peerIndex == link.index }
    }
}
