{:ok, _} = Application.ensure_all_started(:consumer)
:ok = Consumer.check()
false = :code.is_loaded(:crypto)
