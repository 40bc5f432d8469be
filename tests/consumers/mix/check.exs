:ok = :consumer.check()
