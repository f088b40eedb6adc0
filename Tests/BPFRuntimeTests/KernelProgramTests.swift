// SPDX-License-Identifier: Apache-2.0
import KernelPrograms
import Testing

@Suite struct KernelProgramTests {
    @Test func `an embedded object decodes to an ELF file for BPF`() {
        let bytes = KernelProgram.test_filter.objectBytes
        #expect(Array(bytes.prefix(4)) == [0x7f, 0x45, 0x4c, 0x46])
        #expect(bytes[18] == 247, "e_machine is EM_BPF")
    }

    @Test func `the generated list names every source of the target`() {
        #expect(KernelProgram.allOfBPFRuntimeTests.map { "\($0.name)" } == ["test_filter", "test_refused"])
    }
}
