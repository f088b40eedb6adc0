// SPDX-License-Identifier: Apache-2.0

import KubernetesDouble
import Testing

@testable import KubernetesClient

/// How long is waited for a server that is away, and for one that is not.
@Suite(.timeLimit(.minutes(2))) struct ReachabilityTests {
    private let failure = KubernetesError(.unreachable, "no answer")

    @Test func `who waits for a server that is away goes on as soon as it is back, however long the pause`()
        async throws
    {
        let double = try await KubernetesDouble.start()
        let client = KubernetesClient(KubernetesConfiguration(server: double.url))
        await double.stop()
        let pauses = (0..<3).map { _ in Task { await client.pause(.seconds(3600), after: failure) } }
        while await !client.reachability.isAway { try await Task.sleep(for: .milliseconds(20)) }
        #expect(await client.reachability.waiting == 3)
        try await double.restart()
        for pause in pauses { await pause.value }
        #expect(await client.reachability.returns == 1)
        await client.shutDown()
        await double.stop()
    }

    @Test func `a server that is there is not asked sooner, nor one that says when`() async throws {
        let double = try await KubernetesDouble.start()
        let client = KubernetesClient(KubernetesConfiguration(server: double.url))
        let begin = ContinuousClock.now
        await client.pause(.seconds(4), after: failure)
        #expect(ContinuousClock.now - begin >= .seconds(4))
        #expect(await client.reachability.returns == 0)
        await double.stop()
        let busy = KubernetesError(.busy, "503", status: 503)
        await client.pause(.milliseconds(100), after: busy)
        #expect(await client.reachability.probing == nil)
        await client.shutDown()
    }

    @Test func `an end of the waiting is heard at once`() async throws {
        let double = try await KubernetesDouble.start()
        let client = KubernetesClient(KubernetesConfiguration(server: double.url))
        await double.stop()
        let pause = Task { await client.pause(.seconds(3600), after: failure) }
        while await client.reachability.waiting == 0 { try await Task.sleep(for: .milliseconds(10)) }
        pause.cancel()
        await pause.value
        await client.shutDown()
    }
}
