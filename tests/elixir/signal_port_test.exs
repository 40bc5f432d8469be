defmodule SignalPortTest do
  use ExUnit.Case, async: true
  alias SignalPort.{Bundle, KeyPair, PreKey, PreKeyInfo, PreKeyMessage, SignedPreKey}
  doctest SignalPort
  doctest SignalPort.Bundle

  # Exports of the Erlang module that are no operations, or that Elixir has under a short name.
  @others [
    batch: 1,
    check_response: 2,
    child_spec: 1,
    dispatch_stats: 0,
    doctor: 0,
    dr_decrypt: 2,
    dr_encrypt: 2,
    info: 0,
    metrics: 0,
    module_info: 0,
    module_info: 1,
    ready: 0,
    receive_response: 1,
    receive_response: 2,
    replace_workers: 0,
    resize: 1,
    send_request: 2,
    send_request: 3,
    top: 0
  ]
  @operations :signal_port.module_info(:exports) -- @others
  @secret String.duplicate("planted!", 8)

  describe "the functions" do
    test "are all operations of the Erlang module, with and without a bang" do
      names = Enum.uniq(for {name, _} <- SignalPort.__info__(:functions), do: name)
      expected = for {name, _} <- @operations, twin <- [name, :"#{name}!"], do: twin
      others = [:batch, :child_spec, :doctor, :info, :ready?, :replace_workers, :resize]
      assert Enum.sort(expected) == Enum.sort(names -- others)
    end

    test "have documentation and a spec" do
      {:docs_v1, _, _, _, %{"en" => _}, _, docs} = Code.fetch_docs(SignalPort)
      documented = for {{:function, name, arity}, _, _, %{"en" => _}, _} <- docs, do: {name, arity}
      {:ok, specs} = Code.Typespec.fetch_specs(SignalPort)
      functions = Enum.sort(SignalPort.__info__(:functions))
      assert Enum.sort(documented) == functions
      assert Enum.sort(for {function, _} <- specs, do: function) == functions
    end

    test "without a bang have a doctest" do
      {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(SignalPort)

      without =
        for {{:function, name, _}, _, _, %{"en" => doc}, _} <- docs,
            not String.ends_with?(to_string(name), "!"),
            not String.contains?(doc, "iex> "),
            do: name

      assert without == [:doctor]
    end
  end

  describe "a conversation" do
    test "begins with a message that has the keys, and goes on in both directions" do
      bob = SignalPort.generate_identity_key_pair!()
      signed_pre_key = SignalPort.generate_signed_pre_key!(bob, 3)
      one_time_pre_key = SignalPort.generate_pre_key!(4)
      bundle = Bundle.new(bob, signed_pre_key, one_time_pre_key)

      alice = SignalPort.generate_identity_key_pair!()
      {shared, ephemeral} = SignalPort.process_pre_key_bundle!(alice, bundle)
      at_alice = SignalPort.dr_init!(shared, alice, bundle.identity_key, :initiator)

      info = %PreKeyInfo{
        registration_id: 5,
        one_time_pre_key_id: bundle.one_time_pre_key_id,
        signed_pre_key_id: bundle.signed_pre_key_id,
        base_key: ephemeral
      }

      {first, at_alice} = SignalPort.dr_encrypt_prekey!(at_alice, "Hello Bob!", info)

      assert %PreKeyMessage{registration_id: 5, one_time_pre_key_id: 4, signed_pre_key_id: 3} =
               parts = SignalPort.pksm_decode!(first)

      shared =
        SignalPort.process_pre_key_bundle_bob!(
          bob,
          signed_pre_key,
          one_time_pre_key,
          parts.identity_key,
          parts.base_key
        )

      at_bob = SignalPort.dr_init!(shared, bob, parts.identity_key, :responder)
      assert {"Hello Bob!", at_bob} = SignalPort.decrypt!(at_bob, parts.message)
      {answer, at_bob} = SignalPort.encrypt!(at_bob, "Hello Alice!")
      assert {"Hello Alice!", _} = SignalPort.decrypt!(at_alice, answer)
      assert SignalPort.decrypt(at_bob, parts.message) == {:error, :bad_mac}
    end

    test "gives the sessions of the Erlang module, whose keys are binaries" do
      bob = SignalPort.generate_identity_key_pair!()
      alice = SignalPort.generate_identity_key_pair!()
      session = SignalPort.dr_init!(<<1::768>>, bob, alice.public, :responder)

      assert {:ok, session} ==
               :signal_port.dr_init(<<1::768>>, bob.public, alice.public, bob.secret, 0)
    end
  end

  describe "a key" do
    test "is given as a struct or as its bytes" do
      pair = SignalPort.generate_identity_key_pair!()
      assert SignalPort.sign_data!(pair, "a") == SignalPort.sign_data!(pair.secret, "a")
    end

    test "of a wrong size returns the error of the operation" do
      assert SignalPort.sign_data("short", "a") == {:error, :invalid_private_key}
    end
  end

  describe "a bang" do
    test "raises what happened, with the operation and the reason" do
      error = assert_raise SignalPort.Error, fn -> SignalPort.sign_data!("short", "a") end
      assert %{operation: :sign_data, reason: :invalid_private_key} = error

      assert Exception.message(error) ==
               "SignalPort.sign_data returned the error :invalid_private_key"
    end

    test "of a check returns :ok" do
      assert SignalPort.init!() == :ok
    end
  end

  describe "a batch" do
    test "returns structs, as the calls alone do" do
      assert [{:ok, %KeyPair{} = pair}, {:ok, %PreKey{id: 7}}] =
               SignalPort.batch(generate_ed25519_keypair: [], generate_pre_key: [7])

      assert [{:ok, %SignedPreKey{id: 1}}, :ok] =
               SignalPort.batch(
                 generate_signed_pre_key: [pair, 1],
                 verify_signature: [pair.public, "a", SignalPort.sign_data!(pair, "a")]
               )
    end

    test "that is not a list of calls raises without the calls" do
      for calls <- [[{:sha256, [@secret]} | :improper], [@secret], @secret] do
        error = assert_raise ArgumentError, fn -> SignalPort.batch(calls) end
        refute Exception.message(error) =~ "planted!"
      end
    end
  end

  describe "a secret" do
    test "is not shown by inspect" do
      for struct <- [
            %KeyPair{public: "public", secret: @secret},
            %PreKey{id: 1, public: "public", secret: @secret},
            %SignedPreKey{id: 1, public: "public", secret: @secret, signature: "signature"},
            %PreKeyMessage{
              registration_id: 1,
              base_key: "base",
              identity_key: "public",
              signed_pre_key_id: 1,
              message: @secret
            }
          ] do
        shown = inspect(struct, limit: :infinity)
        assert shown =~ "public"
        refute shown =~ "planted!"
      end
    end

    test "is in no exception of a call with another argument of a wrong type" do
      pair = %KeyPair{public: @secret, secret: @secret}

      for {operation, arguments} <- [
            sha256: [[@secret]],
            sign_data: [pair, :text],
            dr_init: [@secret, @secret, @secret, :initiator],
            dr_init: [@secret, pair, @secret, 1],
            encrypt: [@secret, :text],
            dr_encrypt_prekey: [@secret, @secret, {1, nil, 1, @secret}],
            dr_encrypt_prekey: [
              @secret,
              @secret,
              %PreKeyInfo{registration_id: -1, signed_pre_key_id: 1, base_key: @secret}
            ],
            aes_gcm_decrypt: [@secret, @secret, :text, @secret, @secret],
            process_pre_key_bundle: [
              pair,
              %Bundle{identity_key: :text, signed_pre_key: @secret, signature: @secret}
            ],
            process_pre_key_bundle_bob: [pair, pair, pair, pair, @secret]
          ] do
        refute raised(fn -> apply(SignalPort, operation, arguments) end) =~ "planted!",
               "#{operation}"
      end

      refute raised(fn -> Bundle.new(pair, pair, pair) end) =~ "planted!"
    end
  end

  # What a crash report would show, with the arguments that a stack trace can have.
  defp raised(function) do
    function.()
    flunk("nothing was raised")
  rescue
    error in [ArgumentError] ->
      Exception.format(:error, error, __STACKTRACE__) <>
        inspect({error, __STACKTRACE__}, limit: :infinity)
  end
end
