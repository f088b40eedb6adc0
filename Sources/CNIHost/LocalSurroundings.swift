// SPDX-License-Identifier: Apache-2.0

package import CNIPlugin
import Glibc
import LinuxHost

/// The agent of this host, and the directory where changes wait for it.
package struct LocalSurroundings: PluginSurroundings {
    package init() {}

    package func ask(
        _ request: AgentRequest, of socketPath: String, within seconds: Int
    ) throws(AgentDown) -> AgentAnswer {
        let deadline = HostClock.monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
        let target = (["v1"] + request.path).map { "/\(Self.encoded($0))" }.joined()
        let body = request.body.map { Array($0.text.utf8) } ?? []
        let http = BlockingHTTP(socketPath: socketPath, deadline: deadline)
        while true {
            do throws(BlockingHTTP.Failure) {
                return try http.send(request.method, target, body: body)
            } catch {
                // An agent that restarts or is full just now is asked again: every request may be made twice.
                guard error.isHungUp, HostClock.monotonicNanoseconds() < deadline else {
                    throw AgentDown(error.reason)
                }
                Self.pause()
            }
        }
    }

    package func postpone(
        _ change: PendingChange, in directory: String, unless isTaken: () -> Bool
    ) throws(CNIError) {
        let pending = PendingDirectory(path: directory)
        do throws(HostError) {
            try pending.whileLocked { () throws(HostError) in if !isTaken() { try pending.add(change) } }
        } catch {
            throw CNIError(.cannotRead, "\(error)")
        }
    }

    private static func pause() {
        var time = timespec(tv_sec: 0, tv_nsec: 20_000_000)
        unsafe nanosleep(&time, nil)
    }

    private static func encoded(_ segment: String) -> String {
        segment.utf8.reduce(into: "") { text, byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || [0x2d, 0x2e, 0x5f, 0x7e].contains(byte)
            let digits = String(byte, radix: 16, uppercase: true)
            text += isPlain ? String(Unicode.Scalar(byte)) : "%" + (byte < 16 ? "0" : "") + digits
        }
    }
}
