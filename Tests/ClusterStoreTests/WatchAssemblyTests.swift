// SPDX-License-Identifier: Apache-2.0

import ClusterSchema
import EtcdProtocol
import FoundationEssentials
import NIOCore
import Testing

@testable import ClusterStore

@Suite struct WatchAssemblyTests {
    private func response(
        _ revisions: [Int64], isFragment: Bool = false, _ change: (inout Etcdserverpb_WatchResponse) -> Void = { _ in }
    ) -> Etcdserverpb_WatchResponse {
        var response = Etcdserverpb_WatchResponse()
        response.fragment = isFragment
        response.events = revisions.map { revision in
            var event = Etcdserverpb_Event()
            event.kv.key = Data("k\(revision)".utf8)
            event.kv.modRevision = revision
            return event
        }
        change(&response)
        return response
    }

    private func revisions(_ step: WatchStep?) -> ([Int64], Int64)? {
        guard case .events(let events, let revision)? = step else { return nil }
        return (events.map(\.revision), revision)
    }

    @Test func `what comes in pieces is one change`() throws {
        var assembly = WatchAssembly()
        #expect(try assembly.take(response([4, 4], isFragment: true)) == nil)
        #expect(try assembly.take(response([4], isFragment: true)) == nil)
        let whole = try revisions(assembly.take(response([4, 5])))
        #expect(whole?.0 == [4, 4, 4, 4, 5])
        #expect(whole?.1 == 5)
        #expect(try revisions(assembly.take(response([6])))?.0 == [6])
    }

    @Test func `a sign of life changes nothing, least of all where to go on`() throws {
        var assembly = WatchAssembly()
        #expect(try assembly.take(response([]) { $0.header.revision = 99 }) == nil)
        #expect(try assembly.take(response([]) { $0.created = true }) == .begun)
    }

    @Test(arguments: [
        (6, "", StoreError.Kind.compacted), (0, "no leader", .unavailable),
        (0, "rpc error: permission denied", .permission),
        (0, "etcdserver: invalid auth token", .token),
    ])
    func `a watch that is cancelled says what to do`(compacted: Int64, reason: String, kind: StoreError.Kind) {
        var assembly = WatchAssembly()
        let cancelled = response([]) {
            $0.canceled = true
            $0.compactRevision = compacted
            $0.cancelReason = reason
        }
        let error = #expect(throws: StoreError.self) { try assembly.take(cancelled) }
        #expect(error?.kind == kind)
    }

    @Test func `messages are found wherever they are cut`() throws {
        let bytes = [[1, 2, 3], [], [4]].map { GRPCFrames.frame($0) }.flatMap { Array($0.readableBytesView) }
        for cut in 1..<bytes.count {
            var frames = GRPCFrames()
            var found: [[UInt8]] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                frames.append(ByteBuffer(bytes: part))
                while let message = try frames.next() { found.append(message) }
            }
            #expect(found == [[1, 2, 3], [], [4]])
        }
    }

    @Test(arguments: [[1, 0, 0, 0, 0], [0, 0xff, 0xff, 0xff, 0xff]] as [[UInt8]])
    func `a message that is compressed or too long is refused`(head: [UInt8]) {
        var frames = GRPCFrames()
        frames.append(ByteBuffer(bytes: head))
        #expect(throws: StoreError.self) { try frames.next() }
    }
}
