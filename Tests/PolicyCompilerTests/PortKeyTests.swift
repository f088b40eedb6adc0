// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import PolicyCompiler
import Testing

@Suite struct PortKeyTests {
    @Test(arguments: [0...65535, 1...65534, 80...80, 1024...2047, 1000...3000, 0...0, 65535...65535, 32767...32768])
    func `the prefixes of a range cover exactly its ports, each once`(_ range: ClosedRange<UInt16>) {
        let keys = PortKey.covering(range, of: .tcp)
        #expect(keys.count <= 30)
        for port in 0...UInt16.max {
            let covering = keys.filter { $0.covers(proto: .tcp, port: port) }.count
            guard covering != (range.contains(port) ? 1 : 0) else { continue }
            Issue.record("port \(port) is covered \(covering) times by \(range)")
            return
        }
    }

    @Test func `every port is one prefix, which also covers packets without ports`() {
        #expect(PortKey.covering(0...65535, of: .udp) == [PortKey(proto: 17, port: 0, prefixLength: 0)])
        #expect(PortKey(proto: 17, port: 0, prefixLength: 0).covers(proto: .udp, port: nil))
        #expect(!PortKey(proto: 17, port: 0, prefixLength: 1).covers(proto: .udp, port: nil))
    }
}
