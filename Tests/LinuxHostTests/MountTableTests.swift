// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import Testing

@Suite struct MountTableTests {
    @Test func `a file system that the first process has is told from one that is nowhere`() {
        #expect(MountTable.isSeenByInit("/proc/self") == true)
        #expect(MountTable.isSeenByInit("/no such file") == nil)
    }
}
