// SPDX-License-Identifier: Apache-2.0

import LinuxHost

/// A moment by which somebody must have confirmed a change; all times in nanoseconds.
///
/// Within one boot the clock that counts since boot decides: setting the wall clock moves nothing, sleep counts. After a
/// reboot the wall clock decides, but never for longer than was given in the first place: a host that comes up in
/// 1970 does not wait for fifty years.
struct ConfirmationDeadline: Codable, Hashable, Sendable {
    /// What the clocks say.
    struct Clocks: Sendable {
        var wall: UInt64
        var boot: UInt64
        var bootID: String

        static func now() -> Clocks {
            Clocks(
                wall: HostClock.wallNanoseconds(), boot: HostClock.bootNanoseconds(),
                bootID: (try? HostClock.bootID()) ?? "")
        }
    }

    private(set) var wall: UInt64
    private(set) var boot: UInt64
    private(set) var bootID: String
    let duration: UInt64

    init(in duration: Duration, _ now: Clocks) {
        self.duration = UInt64(max(0, duration.seconds) * 1e9)
        wall = now.wall + self.duration
        boot = now.boot + self.duration
        bootID = now.bootID
    }

    /// How long there is left; zero: it has passed.
    func remaining(_ now: Clocks) -> UInt64 {
        guard now.bootID == bootID else { return min(wall > now.wall ? wall - now.wall : 0, duration) }
        return boot > now.boot ? boot - now.boot : 0
    }

    /// The same moment by the clock of the present boot.
    func rebased(_ now: Clocks) -> ConfirmationDeadline {
        guard now.bootID != bootID else { return self }
        var deadline = self
        deadline.boot = now.boot + remaining(now)
        deadline.bootID = now.bootID
        return deadline
    }

    /// RFC 3339, as the wall clock has it now.
    func text(_ now: Clocks) -> String { Timestamp.text(nanoseconds: Int64(clamping: now.wall + remaining(now))) }
}
