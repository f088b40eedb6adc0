// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ClusterStore

@Suite struct EtcdConfigurationTests {
    @Test(arguments: [
        ("https://10.0.0.1:2379", "https://10.0.0.1:2379"), ("http://etcd", "http://etcd:2379"),
        ("https://[fd00::1]:2380/", "https://[fd00::1]:2380"), ("https://[fd00::1]", "https://[fd00::1]:2379"),
    ])
    func `a member is a scheme, a host and a port`(text: String, shown: String) {
        #expect(EtcdConfiguration.Endpoint(text)?.description == shown)
    }

    @Test(arguments: [
        "10.0.0.1:2379", "https://", "https://a:0", "https://a:x", "https://a/b", "ftp://a", "https://u@a",
    ])
    func `what is no member is refused with what to write`(text: String) {
        let error = #expect(throws: StoreError.self) { try EtcdConfiguration(endpoints: [text], instance: "i") }
        #expect(error?.message.contains("https://address:2379") == true)
    }

    @Test func `waits grow, differ and have an end`() {
        var pause = Pause()
        let waits = (0..<10).map { _ in pause.wait(random: 0.5) }
        #expect(waits.first == .milliseconds(100))
        #expect(waits.last == .seconds(5))
        pause.reset()
        #expect(pause.wait(random: 0) < pause.wait(random: 0))
    }
}
