:ok = :consumer.check()
:ok = Wrapper.check()
