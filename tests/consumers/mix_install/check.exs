:ok = :consumer.check(:signal_port, :signal_port)
