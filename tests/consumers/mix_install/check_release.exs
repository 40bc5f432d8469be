{:ok, _} = Application.ensure_all_started(:consumer)
:ok = :consumer.check(:signal_port, :signal_port)
