// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KernelDatapath

/// The kernel program `read_jiffies`, through the clock that runs it.
@Suite struct KernelClockTests {
    @Test("the clock counts as many ticks in a second as the kernel says it has")
    func countsTicks() throws {
        let clock = try KernelClock()
        #expect([100, 250, 300, 1000].contains(clock.ticksPerSecond))
        let began = ContinuousClock.now
        let first = try clock.now()
        while ContinuousClock.now - began < .milliseconds(200) {}
        let passed = try clock.now() &- first
        let elapsed = ContinuousClock.now - began
        #expect(passed >= clock.ticks(.milliseconds(200)) - 1)
        #expect(passed <= clock.ticks(elapsed) + 2)
    }
}
