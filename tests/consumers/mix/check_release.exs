{:ok, _} = Application.ensure_all_started(:consumer)
:ok = :consumer.check()
false = :code.is_loaded(:crypto)
