// SPDX-License-Identifier: Apache-2.0

import BPFRuntime

/// A SYN answered with a cookie, whole path: the defence's programs beside the kernel's own cookies and SYNPROXY; and what
/// an established flow pays while listeners are defended.
enum SynCost: Benchmark {
    static let name = "syn"
    static let summary =
        "a forged SYN answered with a cookie beside the kernel's cookies and SYNPROXY; established packets while armed"

    static func run(_ effort: Effort) throws -> [Row] {
        let field = try SynField()
        let chunks = effort.isQuick ? 1 : 3
        var rows: [Row] = []
        for isWorkload in [false, true] {
            let place = isWorkload ? "workload" : "host"
            var contenders: [(name: String, defence: SynField.Defence, bound: Double)] =
                [("XDP front, \(place)", .xdpFront, 0.30)]
            contenders.append(
                isWorkload ? ("tc front, \(place)", .trafficFront, 0.30) : ("tc, \(place)", .listener, 0.45))
            var kernel = contenders.map { _ in PairedSamples() }, proxy = kernel
            for round in 1...effort.rounds {
                let cookies = try field.cost(.kernelCookies, isWorkload: isWorkload, chunks: chunks)
                let synproxy = try field.cost(.synproxy, isWorkload: isWorkload, chunks: chunks)
                for (index, contender) in contenders.enumerated() {
                    let ours = try field.cost(contender.defence, isWorkload: isWorkload, chunks: chunks)
                    kernel[index].add(ours: ours, peer: cookies)
                    proxy[index].add(ours: ours, peer: synproxy)
                    report(
                        "  syn, \(contender.name), round \(round): ns ours / kernel's cookies / SYNPROXY = "
                            + [ours, cookies, synproxy].map(ResultTable.number).joined(separator: " / "))
                }
            }
            for (index, contender) in contenders.enumerated() {
                let title = "SYN answered with a cookie, \(contender.name)"
                rows += [
                    Row(
                        title, unit: "ns CPU", samples: kernel[index], peerName: "kernel's cookies",
                        bound: contender.bound),
                    Row(title, unit: "ns CPU", samples: proxy[index], peerName: "nft SYNPROXY", bound: 1),
                ]
            }
        }
        for isIPv6 in [false, true] {
            var established = Samples()
            for _ in 0..<effort.rounds { established.add(try field.establishedCost(isIPv6: isIPv6)) }
            let title = "established packet while listeners are defended, IPv\(isIPv6 ? 6 : 4)"
            report("  syn, \(title): ns " + established.values.map(ResultTable.number).joined(separator: ", "))
            rows.append(Row(title, unit: "ns", ours: established.median, bound: 30))
        }
        return rows
    }
}
