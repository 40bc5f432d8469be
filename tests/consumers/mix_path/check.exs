bob = SignalPort.generate_identity_key_pair!()
signed_pre_key = SignalPort.generate_signed_pre_key!(bob, 1)
bundle = SignalPort.Bundle.new(bob, signed_pre_key)

alice = SignalPort.generate_identity_key_pair!()
{shared, ephemeral} = SignalPort.process_pre_key_bundle!(alice, bundle)
at_alice = SignalPort.dr_init!(shared, alice, bob.public, :initiator)
{message, at_alice} = SignalPort.encrypt!(at_alice, "Hello Bob!")

^shared = SignalPort.process_pre_key_bundle_bob!(bob, signed_pre_key, nil, alice.public, ephemeral)

at_bob = SignalPort.dr_init!(shared, bob, alice.public, :responder)
{"Hello Bob!", at_bob} = SignalPort.decrypt!(at_bob, message)
{answer, _} = SignalPort.encrypt!(at_bob, "Hello Alice!")
{"Hello Alice!", _} = SignalPort.decrypt!(at_alice, answer)
:port = SignalPort.info().backend
false = :code.is_loaded(:crypto)
