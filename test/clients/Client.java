import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

/** What programs do with pgjdbc: prepared statements from the first execution on, binary results, portals of some rows. */
public class Client {
  static String one(Connection c, String sql, Integer arg) throws SQLException {
    try (PreparedStatement p = c.prepareStatement(sql)) {
      if (arg != null) p.setInt(1, arg);
      try (ResultSet r = p.executeQuery()) {
        r.next();
        return r.getString(1);
      }
    }
  }

  public static void main(String[] args) throws Exception {
    try (Connection c = DriverManager.getConnection(System.getenv("JDBC_URL"), System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
      PGConnection pg = c.unwrap(PGConnection.class);
      try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT note FROM plain WHERE id = 7")) {
        r.next();
        System.out.println("simple " + r.getString(1));
      }
      for (int i = 7; i < 9; i++) System.out.println("prepared " + one(c, "SELECT note FROM plain WHERE id = ?", i));
      System.out.println("masked " + one(c, "SELECT password FROM users WHERE id = ?", 1).contains("[masked:") + " " + one(c, "SELECT name FROM users WHERE id = 1", null));
      StringWriter out = new StringWriter();
      pg.getCopyAPI().copyOut("COPY plain TO STDOUT", out);
      System.out.println("copied out " + out.toString().lines().count());
      try (Statement s = c.createStatement()) {
        s.execute("CREATE TEMP TABLE loaded (id int, note text)");
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 500; i++) rows.append(i).append("\trow ").append(i).append("\n");
        pg.getCopyAPI().copyIn("COPY loaded FROM STDIN", new StringReader(rows.toString()));
        System.out.println("copied in " + one(c, "SELECT count(*) FROM loaded", null));
        s.execute("LISTEN news");
        s.execute("NOTIFY news, 'hello'");
        for (PGNotification n : pg.getNotifications(5000)) System.out.println("notified " + n.getParameter());
        Thread t = new Thread(() -> {
          try {
            Thread.sleep(500);
            s.cancel();
          } catch (Exception e) {
            System.out.println(e);
          }
        });
        t.start();
        try {
          s.execute("SELECT pg_sleep(20)");
        } catch (SQLException e) {
          System.out.println("cancelled " + e.getSQLState());
        }
        t.join();
        c.setAutoCommit(false);
        try {
          s.execute("SELECT 1 / 0");
        } catch (SQLException e) {
          System.out.println("failed " + e.getSQLState());
        }
        c.rollback();
        System.out.println("after " + one(c, "SELECT 1", null));
        try {
          one(c, "SELECT pg_read_file('x')", null);
        } catch (SQLException e) {
          System.out.println("refused " + e.getSQLState());
        }
        System.out.println("after " + one(c, "SELECT 1", null));
        try (PreparedStatement p = c.prepareStatement("SELECT id FROM plain")) {
          p.setFetchSize(100);
          int n = 0;
          try (ResultSet r = p.executeQuery()) {
            while (r.next()) n++;
          }
          System.out.println("cursor " + n);
        }
        c.commit();
      }
    }
  }
}
