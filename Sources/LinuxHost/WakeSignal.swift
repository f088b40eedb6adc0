// SPDX-License-Identifier: Apache-2.0

import CLinuxShim
import Glibc

/// Wakes a thread that sleeps in `poll`: an eventfd, so that it can be waited for together with other descriptors.
final class WakeSignal: Sendable {
    let descriptor: OwnedDescriptor

    init() throws(HostError) {
        let number = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard number >= 0 else { throw HostError.last("create an eventfd") }
        descriptor = OwnedDescriptor(adopting: number)
    }

    /// Wakes the waiter; calls before it looks count as one.
    func raise() {
        var one: UInt64 = 1
        _ = unsafe write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Forgets the calls of `raise` so far.
    func clear() {
        var count: UInt64 = 0
        _ = unsafe read(descriptor.rawValue, &count, MemoryLayout<UInt64>.size)
    }
}

/// What `waitForInput` saw.
enum InputWait {
    /// The descriptor has something to read, or an error to report.
    case readable
    /// The signal was raised.
    case signalled
    /// Nothing within the time given.
    case timedOut
}

/// Sleeps until `descriptor` is readable, `signal` is raised or the time is over.
///
/// A raised signal wins.
/// - Parameter milliseconds: how long at most; negative is for ever.
func waitForInput(_ descriptor: Int32, or signal: WakeSignal, milliseconds: Int32) throws(HostError) -> InputWait {
    while true {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signal.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        let count = unsafe poll(&polled, 2, milliseconds)
        if count < 0 {
            if errno == EINTR { continue }
            throw HostError.last("wait for input")
        }
        if polled[1].revents != 0 { return .signalled }
        return polled[0].revents != 0 ? .readable : .timedOut
    }
}
